const BUILD_ID = "5a4d0b0c";

/** Makes ids in new-api's form: UTC time, fraction of a second, build id, and eight digits that never repeat. */
export function requestIds(): (nowMs: number) => string {
  let second = -1;
  let stamp = "";
  let count = 0;
  return (nowMs) => {
    const current = Math.floor(nowMs / 1000);
    if (current !== second) {
      second = current;
      stamp = new Date(current * 1000)
        .toISOString()
        .replaceAll(/[^0-9]/g, "")
        .slice(0, 14);
    }
    count += 1;
    const fraction = String(Math.floor(nowMs % 1000)).padStart(3, "0");
    return `${stamp}${fraction}000000${BUILD_ID}${count.toString(16).padStart(8, "0")}`;
  };
}
