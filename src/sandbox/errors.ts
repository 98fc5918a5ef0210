import { relayed } from "./error-answer.ts";
import type { ErrorAnswer, ErrorContext, Profile } from "./error-answer.ts";
import { NEWAPI_ERRORS } from "./errors-newapi.ts";
import { OTHER_PROFILES } from "./errors-other.ts";
import { cloudflarePage } from "./pages.ts";

/** Whether this names an error answer: one of the catalogue, or a bare status from 400 to 599. */
export function isErrorName(name: string): boolean {
  return Object.hasOwn(NEWAPI_ERRORS, name) || /^[45]\d\d$/.test(name);
}

/** The error of that name in a profile's words; what a profile does not word is new-api's. */
export function errorAnswer(name: string, profile: Profile, context: ErrorContext): ErrorAnswer {
  const own = profile === "newapi" ? undefined : OTHER_PROFILES[profile][name];
  const make = own ?? (Object.hasOwn(NEWAPI_ERRORS, name) ? NEWAPI_ERRORS[name] : undefined);
  return make === undefined ? bareStatus(Number(name)) : make(context);
}

/** The names that chaos, markers and scripts can use. */
export function errorNames(): string[] {
  return Object.keys(NEWAPI_ERRORS);
}

function bareStatus(status: number): ErrorAnswer {
  if (status >= 520 && status !== 529 && status <= 530) {
    return {
      status,
      contentType: "text/html; charset=UTF-8",
      body: cloudflarePage(status),
      headers: ["server", "cloudflare", "cf-ray", "8f2a5d0b0c4e1a2b-HKG"],
    };
  }
  return relayed(status, {
    message: `bad response status code ${status}`,
    type: "bad_response_status_code",
    param: "",
    code: "bad_response_status_code",
  });
}
