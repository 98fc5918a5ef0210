import * as fc from "fast-check";
import { Liquid } from "liquidjs";
import { describe, expect, it } from "vitest";

import { columnReference } from "../../../src/job/column.ts";
import { compileTemplate } from "../../../src/job/template.ts";

function render(text: string, fields: Record<string, unknown>): string {
  return compileTemplate(text, "job.yaml: id").render(fields);
}

/** The error that it throws, as `name: message`. */
function failure(action: () => unknown): string {
  try {
    action();
    return "no error";
  } catch (error) {
    return String(error);
  }
}

describe("a template", () => {
  it("prints exactly what Liquid prints", () => {
    // By chance the pieces name other variables, too: those are missing for both.
    const liquid = new Liquid({ strictVariables: true, lenientIf: true });
    const scalar = fc.oneof(
      fc.string(),
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
    );
    const value = fc.oneof(scalar, fc.array(fc.oneof(scalar, fc.array(scalar))));
    const piece = fc.oneof(
      fc.constantFrom(
        "{{ a }}",
        "{{评论}}",
        "{{\n_b1 }}",
        "{{- a -}}",
        "{{ a | upcase }}",
        "{{ true }}",
      ),
      fc.constantFrom(
        " text ",
        "{",
        "}",
        "}}",
        "\n",
        "$&",
        "{% if a %}yes{% endif %}",
        "{{ ['a'] }}",
      ),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece), value, value, value, (pieces, a, b, c) => {
        const text = pieces.join("");
        const fields = { a, _b1: b, 评论: c };
        let expected: string;
        try {
          expected = String(liquid.parseAndRenderSync(text, fields));
        } catch {
          return;
        }
        expect(render(text, fields)).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("never reads a value as a template", () => {
    expect(render("{{ a }}", { a: "{{ b }}{% raw %}" })).toBe("{{ b }}{% raw %}");
  });

  it("does not escape for HTML", () => {
    expect(render("{{ a | strip }}", { a: " <b>&" })).toBe("<b>&");
  });

  it("tells the columns it uses, not the names it makes itself", () => {
    const text =
      "{% assign made = a.b | append: c %}{% for one in list %}{{ one }}{{ made }}{% endfor %}{{ 评论 }}";
    expect(compileTemplate(text, "id").variables).toEqual(["a", "c", "list", "评论"]);
  });

  it("reaches a column of any name through its reference", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (name) => {
        fc.pre(!/[\r\n]/.test(name));
        const template = compileTemplate(columnReference(name), "id");
        expect(template.variables).toEqual([name]);
        expect(template.render({ [name]: "value" })).toBe("value");
      }),
    );
  });

  it.each(["size", "first", "last", "constructor"])("reads a column called %s", (name) => {
    expect(render(`{{ ${name} | upcase }}`, { [name]: "value" })).toBe("VALUE");
  });

  it("lets a missing field pass where the template provides for it", () => {
    expect(render('{% if a %}x{% endif %}{{ a | default: "none" }}', {})).toBe("none");
  });

  it.each(["{{ a }}", "{{ a | upcase }}", "{{ constructor }}", "{{ toString }}"])(
    "fails where %s has no field",
    (text) => {
      expect(failure(() => render(text, { b: 1 }))).toMatch(
        /^RecordError: job.yaml: id: undefined variable: \w+, line:1.*default/,
      );
    },
  );

  it.each(["{{ a }}", "{{ list }}"])("fails rather than print an object: %s", (text) => {
    expect(() => render(text, { a: { b: 1 }, list: [1, {}] })).toThrow("write `| json` after it");
  });

  it("prints an object as JSON when asked to", () => {
    expect(render("{{ a | json }}", { a: { b: [1] } })).toBe('{"b":[1]}');
  });

  it.each([
    ["a\n{{ a", /: job.yaml: id: .*not closed, line:2/],
    ["{{ a | nofilter }}", /: job.yaml: id: undefined filter: nofilter, line:1/],
    ["{% if a %}", /: job.yaml: id: .*not closed, line:1/],
    ["{{ 价格(元) }}", /written \{\{ \["its name"\] \}\}/],
    ["{% include 'x' %}", /"include" not found/],
    ["{% render 'x' %}", /"render" not found/],
    ["{% layout 'x' %}", /"layout" not found/],
  ])("refuses %j", (text, message) => {
    const thrown = failure(() => compileTemplate(text, "job.yaml: id"));
    expect(thrown).toMatch(message);
    expect(thrown).toMatch(/^UsageError: /);
  });
});
