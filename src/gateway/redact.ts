// `sk-…` as gateways quote it, whole or half masked (`sk-abc***xyz`), and whatever follows `Bearer`.
const KEY = /\b(sk-)[\w*-]{4,}|\b(Bearer\s+)[\w.*~+/-]{4,}/gi;

/** The text with everything that looks like an API key masked. */
export function redactSecrets(text: string): string {
  return text.replace(
    KEY,
    (_, sk: string | undefined, bearer: string | undefined) => `${sk ?? bearer ?? ""}***`,
  );
}
