import { styleText } from "node:util";

/** A color or weight, by node's names. */
export type Style = Parameters<typeof styleText>[0];

/** Gives text a style where colors are wanted. */
export type Paint = (style: Style, text: string) => string;

/** Whether there are colors is the caller's decision, so the stream is not asked. */
export function createPaint(color: boolean): Paint {
  return color
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_style, text) => text;
}
