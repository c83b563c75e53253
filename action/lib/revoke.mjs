import { mayPass, request, Retryable, untilItWorks } from "./http.mjs";

/** For how long a revocation is tried, in milliseconds. */
const revokeLimit = 60_000;

/** GitHub may not know a token yet that is younger than this, in milliseconds. */
const youth = 10_000;

/** revoke ends a token at GitHub. One that has ended already is no error. */
export function revoke(token, issued) {
  const api = process.env.GITHUB_API_URL || "https://api.github.com";
  return untilItWorks(revokeLimit, async () => {
    const answer = await request(`${api}/installation/token`, { method: "DELETE", bearer: token });
    if (answer.status === 204) {
      return;
    }
    const error = new Error(`GitHub answered with status ${answer.status}.`);
    if (answer.status === 401) {
      if (Date.now() - issued > youth) {
        return;
      }
      throw new Retryable(error);
    }
    throw mayPass(answer) ? new Retryable(error, answer.wait) : error;
  });
}
