import { expect, test } from "vitest";

import { Scrape } from "../../fakes/exposition-parser.ts";

// The judge of the other tests: it must be able to say no.
test.each([
  ["a_total 1\n", "a sample without a TYPE"],
  ["# TYPE a counter\na 1\n", "a counter without _total"],
  ["# TYPE a_total counter\na_total -1\n", "a counter below 0"],
  ["# TYPE a gauge\na 1\na 2\n", "the same series twice"],
  ["# TYPE a gauge\na one\n", "no number"],
  ["# TYPE a gauge\na{b=1} 1\n", "no labels"],
  ['# TYPE a gauge\na{b="c"d"} 1\n', "no labels"],
  ["# TYPE a gauge\nb 1\n", "of another family"],
  ["# TYPE a gauge\n# TYPE b gauge\n# TYPE a gauge\n", "a family in two places"],
  ["# TYPE a gauge\na 1", "the last line has no end"],
  ["# TYPE a-b gauge\n", "no name of a metric"],
  [
    '# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
    "no hist",
  ],
  ['# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1\n', "no histogram"],
])("the format's judge refuses %j", (text, why) => {
  expect(() => new Scrape(text)).toThrow(why);
});

test("the format's judge reads values by name and labels", () => {
  const scrape = new Scrape(
    '# HELP a b\n# TYPE a gauge\na{b="\\"\\\\",c="d"} 2\na{b="",c="d"} 3\n',
  );
  expect(scrape.value("a", { c: "d", b: '"\\' })).toBe(2);
  expect(scrape.sum("a", { c: "d" })).toBe(5);
});
