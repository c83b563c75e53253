import { createHash } from "node:crypto";

import { ActionError, mask } from "./runner.mjs";
import { mayPass, request, Retryable, untilItWorks } from "./http.mjs";

/** For how long a token is asked for, in milliseconds. */
const mintLimit = 120_000;

/** requestToken exchanges the job's identity for an installation token. */
export function requestToken({ service, repositories, permissions }) {
  return untilItWorks(mintLimit, async () => {
    // The service takes an identity token once.
    const identity = await identityToken(service);
    const answer = await request(`${service}/api/bot-tokens`, {
      // exclusive: the token is revoked at the end, which must end no other job.
      method: "POST", bearer: identity, json: { repositories, permissions, exclusive: true },
    });
    if (answer.status === 200 && isToken(answer.body?.token)) {
      return answer.body;
    }
    throw refusal(answer);
  });
}

/**
 * revokeToken has the service end a token, so that it lists it no longer and its audit
 * has the end. Whatever fails, the token can be ended at GitHub.
 */
export async function revokeToken(service, token) {
  const id = createHash("sha256").update(token).digest("hex");
  const answer = await request(`${service}/api/bot-tokens/${id}`, { method: "DELETE", bearer: await identityToken(service) });
  if (answer.status !== 204) {
    throw refusal(answer);
  }
}

/** identityToken asks GitHub who this job is, for the service to read. */
async function identityToken(audience) {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: address, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = process.env;
  if (!address || !bearer) {
    throw new ActionError("This job may not ask GitHub who it is.",
      "Add “permissions: {id-token: write}” to the job, with the others that it needs, such as contents: read for actions/checkout. A pull request from a fork never has it.");
  }
  const question = new URL(address);
  question.searchParams.set("audience", audience);
  const answer = await request(question.href, { bearer });
  if (answer.status === 200 && isToken(answer.body?.value)) {
    mask(answer.body.value);
    return answer.body.value;
  }
  const error = new ActionError(`GitHub Actions gave this job no identity token (status ${answer.status}).`, "Run the job again. If that does not help, look at githubstatus.com.");
  throw mayPass(answer) || answer.status === 200 ? new Retryable(error, answer.wait) : error;
}

/** isToken: one word, as everything that is masked has to be. */
function isToken(value) {
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value);
}

/** refusal is why the service gave no token, in its own words. */
function refusal(answer) {
  const { code, message, hint = "" } = answer.body?.error ?? {};
  if (code !== undefined && message !== undefined) {
    const error = new ActionError(message, `${hint} (${code})`.trim());
    return mayPass(answer) ? new Retryable(error, answer.wait) : error;
  }
  if (mayPass(answer)) {
    return new Retryable(new ActionError(`The service does not answer (status ${answer.status}).`, "Run the job again. If that does not help, contact the Hub's administrators."), answer.wait);
  }
  return new ActionError(`What answers is not the service “Connect GitHub” (status ${answer.status}).`, "Check the input hub.");
}
