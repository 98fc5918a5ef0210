import { expect, test } from "vitest";

import { metricsAddress } from "../../../src/commands/options.ts";

test.each([
  ["9464", { host: "127.0.0.1", port: 9464 }],
  ["0", { host: "127.0.0.1", port: 0 }],
  ["0.0.0.0:9464", { host: "0.0.0.0", port: 9464 }],
  ["[::]:9464", { host: "::", port: 9464 }],
  ["worker-1.internal:80", { host: "worker-1.internal", port: 80 }],
])("--metrics-port %s is understood", (text, address) => {
  expect(metricsAddress(text)).toEqual(address);
});

test.each(["", "port", ":9464", "host:", "70000", "host:70000", "-1"])(
  "--metrics-port %j is refused",
  (text) => {
    expect(() => metricsAddress(text)).toThrow(/It must be/);
  },
);
