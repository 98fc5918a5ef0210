/** One input record on its way to an answer. */
export interface Item {
  /** Position in the input, counted from 0. */
  readonly index: number;
  /** The user's name for the item; unique within a run. */
  readonly customId: string;
  /** The model it asks. */
  readonly model: string;
  /** The request body as JSON text, exactly as it will be sent (before `stream` is added). */
  readonly body: string;
}
