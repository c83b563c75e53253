// One request, and the same again while what is in the way may pass.

import { ActionError } from "./runner.mjs";

/** How long one request may take, in milliseconds. */
const requestLimit = 30_000;

/** Status codes after which the same request may succeed. */
const retryableStatus = [429, 500, 502, 503, 504];

/** Codes of Node's for a name or a certificate that is wrong: the same fails again. */
const finalCode = /^ENOTFOUND$|CERT|TLS|SSL/;

/**
 * Retryable is an error after which the same may succeed, in wait milliseconds, if
 * somebody said when.
 */
export class Retryable extends Error {
  constructor(cause, wait = 0) {
    super(cause.message, { cause });
    this.wait = wait;
  }
}

/** request makes one request. No redirect takes the credential along. */
export async function request(address, { method = "GET", bearer, json } = {}) {
  const headers = { Authorization: `Bearer ${bearer}`, Accept: "application/json", "User-Agent": "ghscoped-action" };
  if (json !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  try {
    const answer = await fetch(address, {
      method, headers, body: json === undefined ? undefined : JSON.stringify(json),
      redirect: "manual", signal: AbortSignal.timeout(requestLimit),
    });
    return { status: answer.status, wait: retryAfter(answer), body: parsed(await answer.text()) };
  } catch (error) {
    const code = error.cause?.code ?? error.name;
    const failure = new ActionError(`${new URL(address).host} does not answer (${code}).`);
    throw finalCode.test(code) ? failure : new Retryable(failure);
  }
}

export function mayPass(answer) {
  return retryableStatus.includes(answer.status) || (answer.status === 403 && answer.wait > 0);
}

function retryAfter(answer) {
  const seconds = Number(answer.headers.get("Retry-After"));
  return seconds > 0 ? seconds * 1000 : 0;
}

/** parsed is undefined for what is no JSON, such as a proxy's page. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * untilItWorks calls work again after each Retryable error, for so many milliseconds at
 * most. What it fails with in the end is the cause.
 */
export async function untilItWorks(limit, work, sleep = (ms) => new Promise((wake) => setTimeout(wake, ms)), now = Date.now) {
  const end = now() + limit;
  for (let pause = 1000; ; pause *= 2) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Retryable)) {
        throw error;
      }
      const wait = Math.max(pause, error.wait);
      if (now() + wait > end) {
        throw error.cause;
      }
      await sleep(wait);
    }
  }
}
