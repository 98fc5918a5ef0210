/** The promise's value, unless the signal aborts first: then its reason is thrown. */
export async function untilStopped<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  // Whoever has stopped waiting hears of no failure.
  promise.catch(() => {});
  signal.throwIfAborted();
  let stop = (): void => {};
  const stopped = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
