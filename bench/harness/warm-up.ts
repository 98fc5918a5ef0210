import { API_KEY, MODEL, PARAMS, QUESTION, SYSTEM } from "../peers/task.ts";

const CALLS = 3000;
const AT_ONCE = 64;

/** Calls the gateway until its code is compiled, so that the first contender is not the slowest. */
export async function warmUp(baseURL: string): Promise<void> {
  let left = CALLS;
  const caller = async (): Promise<void> => {
    for (; left > 0; left -= 1) await callOnce(baseURL, left);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
}

async function callOnce(baseURL: string, number: number): Promise<void> {
  const answer = await fetch(`${baseURL}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${API_KEY}` },
    body: JSON.stringify({
      model: MODEL,
      messages: [
        { role: "system", content: SYSTEM },
        { role: "user", content: `${QUESTION}warm-up ${number}` },
      ],
      ...PARAMS,
    }),
  });
  await answer.text();
  if (answer.status !== 200) throw new Error(`the gateway answered ${answer.status} to a warm-up`);
}
