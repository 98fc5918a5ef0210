// Tokens are estimated from characters: ASCII / 4 + others x 0.8. Counting in twentieths keeps it exact.
const ASCII_WEIGHT = 5;
const OTHER_WEIGHT = 16;
const TOKEN_WEIGHT = 20;

/** The weight of a text in twentieths of a token: add up weights, then ask {@link tokensOf}. */
export function weigh(text: string): number {
  let weight = 0;
  for (let index = 0; index < text.length; index += 1) {
    weight += weightOfUnit(text.charCodeAt(index));
  }
  return weight;
}

/** Whole tokens of a weight, rounded up. */
export function tokensOf(weight: number): number {
  return Math.ceil(weight / TOKEN_WEIGHT);
}

/** The longest beginning of `text` that has at most `tokens` tokens. */
export function cutToTokens(text: string, tokens: number): string {
  let left = tokens * TOKEN_WEIGHT;
  for (let index = 0; index < text.length; index += 1) {
    left -= weightOfUnit(text.charCodeAt(index));
    if (left < 0) return text.slice(0, index);
  }
  return text;
}

function weightOfUnit(unit: number): number {
  if (unit < 0x80) return ASCII_WEIGHT;
  // A low surrogate is the second half of a character that has been counted.
  return unit >= 0xdc00 && unit <= 0xdfff ? 0 : OTHER_WEIGHT;
}
