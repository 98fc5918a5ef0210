/** A longer record is a fault of the file (an unclosed quote, JSON on one line), told before memory runs out. */
export const LONGEST_RECORD_BYTES = 64 * 1024 * 1024;
