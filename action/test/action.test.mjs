import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { answer, start, token } from "./support/world.mjs";

const mint = "POST /services/connect-github/api/bot-tokens";
const revocation = "DELETE /api/installation/token";

test("main: exchanges the job's identity, masks the token first, and post revokes it", async (t) => {
  const world = await start(t);
  const step = await world.main();
  assert.equal(step.code, 0, step.log);
  assert.deepEqual(world.requests, ["GET /identity", mint]);
  assert.deepEqual(world.bearers, ["Bearer of-the-runner", "Bearer identity.1"]);
  assert.equal(world.audience, `${world.url}/services/connect-github`);
  assert.deepEqual(JSON.parse(world.bodies[1]), { repositories: ["octo/deploy"], permissions: { contents: "write" }, exclusive: true });
  assert.deepEqual(step.outputs, { token, "user-name": "app[bot]", "user-email": "7+app[bot]@users.noreply.github.com" });
  assert.deepEqual(step.log.match(/^::.*$/gm), ["::add-mask::identity.1", `::add-mask::${token}`]);
  assert.doesNotMatch(step.shown, new RegExp(`${token}|identity\\.1`));
  assert.deepEqual(world.env, {}, "git is left alone");

  const end = await world.post();
  assert.equal(end.code, 0, end.log);
  assert.match(world.requests.slice(2).join(), /^GET \/identity,DELETE \/services\/connect-github\/api\/bot-tokens\/[0-9a-f]{64}$/);
  assert.equal(world.bearers[3], "Bearer identity.2");
  assert.deepEqual(end.log.match(/^::.*$/gm), [`::add-mask::${token}`, "::add-mask::identity.2"]);
});

test("post: revokes at GitHub where the service is away, or the job has no identity any more", async (t) => {
  for (const [away, env] of [[true, {}], [false, { ACTIONS_ID_TOKEN_REQUEST_URL: "" }]]) {
    const world = await start(t);
    await world.main();
    world.away = away;
    const end = await world.post(env);
    assert.equal(world.requests.at(-1), revocation);
    assert.equal(world.bearers.at(-1), `Bearer ${token}`);
    assert.match(end.log, /The token is revoked/);
  }
});

test("main: what the service says is no command to the runner", async (t) => {
  const world = await start(t);
  world.next = { [mint]: [answer(200, { token, expires_at: "later\n::set-env name=PATH::/tmp" })] };
  const step = await world.main();
  assert.equal(step.code, 0, step.log);
  assert.doesNotMatch(step.log, /^::set-env/m);
});

test("main: a slash at the end of hub is no part of the audience", async (t) => {
  const world = await start(t);
  assert.equal((await world.main({ hub: `${world.url}/services/connect-github//` })).code, 0);
  assert.equal(world.audience, `${world.url}/services/connect-github`);
});

test("main: asks again with a new identity while what is in the way may pass", async (t) => {
  const world = await start(t);
  world.next = {
    "GET /identity": [answer(503, {})],
    [mint]: [answer(503, { error: { code: "github_limited", message: "Later." } }, { "Retry-After": "2" }), { status: 502, text: "<html>" }, answer(429, {})],
  };
  const began = Date.now();
  const step = await world.main();
  assert.equal(step.code, 0, step.log);
  assert.ok(Date.now() - began >= 1000 + 2000 + 4000, "no sooner than it was asked to");
  assert.equal(world.bearers.at(-1), "Bearer identity.4");
});

test("main: says what the service says, and does not ask again", async (t) => {
  const world = await start(t);
  world.next = { [mint]: [answer(403, { error: { code: "bot_refused", message: "No rule of the bot policy\n::warning::allows 100% of this.", hint: "Ask." } })] };
  const step = await world.main();
  assert.equal(step.code, 1);
  assert.match(step.log, /^::error::No rule of the bot policy%0A::warning::allows 100%25 of this\. Ask\. \(bot_refused\)$/m);
  assert.equal(world.requests.length, 2);
  assert.deepEqual(step.outputs, {});
  await world.post();
  assert.equal(world.requests.length, 2, "there is nothing to revoke");
});

test("main: names what is in the way", async (t) => {
  const cases = {
    "the permission is missing": [{}, { ACTIONS_ID_TOKEN_REQUEST_URL: "" }, {}, /id-token: write.*fork/],
    "the identity is refused": [{}, {}, { "GET /identity": [answer(403, {})] }, /no identity token \(status 403\)/],
    "another page answers": [{}, {}, { [mint]: [{ status: 200, text: "<html>Sign in</html>" }] }, /not the service .*Check the input hub/],
    "the address moved": [{}, {}, { [mint]: [{ status: 302, headers: { Location: "http://127.0.0.1:1/" } }] }, /not the service .* \(status 302\)/],
    "a token of several lines": [{}, {}, { [mint]: [answer(200, { token: "a\nb" })] }, /not the service/],
    "a later limit": [{}, {}, { [mint]: [answer(503, { error: { code: "github_limited", message: "GitHub limits this." } }, { "Retry-After": "600" })] }, /GitHub limits this\. \(github_limited\)/],
    "no address": [{ hub: "hub.example.org" }, {}, {}, /hub is not the address of the service/],
    "the Hub's address": [{ hub: "https://hub.example.org/" }, {}, {}, /hub is not the address of the service/],
    "plain http": [{ hub: "http://hub.example.org/services/connect-github" }, {}, {}, /does not begin with https/],
    "a password in it": [{ hub: "https://a:b@hub.example.org/services/connect-github" }, {}, {}, /more than an address/],
    "no repositories": [{ repositories: " \n" }, {}, {}, /repositories names none/],
    "no permissions": [{ permissions: "" }, {}, {}, /permissions is empty/],
    "a permission without a level": [{ permissions: "contents" }, {}, {}, /no NAME: LEVEL/],
    "a permission twice": [{ permissions: "contents: read\ncontents: write" }, {}, {}, /second one/],
    "a permission twice, in both spellings": [{ permissions: "pull-requests: read\npull_requests: write" }, {}, {}, /second one/],
    "a flag that is none": [{ "configure-git": "yes" }, {}, {}, /configure-git is neither/],
  };
  for (const [name, [inputs, env, next, says]] of Object.entries(cases)) {
    await t.test(name, async (t) => {
      const world = await start(t);
      world.next = next;
      const step = await world.main(inputs, env);
      assert.equal(step.code, 1, step.log);
      assert.match(step.log, new RegExp(`^::error::.*${says.source}`, "m"));
      assert.doesNotMatch(step.log, /This action failed/, "a mistake of ours");
      assert.deepEqual(world.state, {});
    });
  }
});

test("main: reads repositories and permissions as people write them", async (t) => {
  const world = await start(t);
  await world.main({ repositories: "octo/deploy, octo/docs\n  octo/site\n", permissions: "contents:write\n\n  pull-requests : read\n" });
  const asked = JSON.parse(world.bodies[1]);
  assert.deepEqual(asked.repositories, ["octo/deploy", "octo/docs", "octo/site"]);
  assert.deepEqual(asked.permissions, { contents: "write", pull_requests: "read" });
});

test("configure-git: git uses the token for these repositories only, whatever is configured, and forgets it", async (t) => {
  const world = await start(t);
  await world.git("init", "-q");
  await world.git("config", "http.https://github.com/.extraheader", "AUTHORIZATION: basic of-actions-checkout");
  await world.git("config", "user.name", "somebody");
  // Since v6 that has its own in a file which the repository includes.
  await world.git("config", "--file", join(world.folder, "included"), "http.https://github.com/.extraheader", "AUTHORIZATION: basic of-actions-checkout");
  await world.git("config", `includeIf.gitdir:${join(world.folder, "workspace/.git")}.path`, join(world.folder, "included"));
  const before = readFileSync(join(world.folder, "workspace/.git/config"), "utf8");
  world.env = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "init.defaultBranch", GIT_CONFIG_VALUE_0: "trunk" };
  const step = await world.main({ "configure-git": "true" });
  assert.equal(step.code, 0, step.log);

  const basic = Buffer.from(`x-access-token:${token}`).toString("base64");
  const header = async (address) => (await world.git("config", "--get-urlmatch", "http.extraheader", address)).trim();
  for (const address of ["https://github.com/octo/deploy", "https://github.com/octo/deploy.git", "https://github.com/octo/deploy.git/info/lfs"]) {
    assert.equal(await header(address), `AUTHORIZATION: basic ${basic}`, address);
  }
  const last = await world.git("-c", "http.https://github.com/.extraheader=AUTHORIZATION: basic of-the-last", "config", "--get-urlmatch", "http.extraheader", "https://github.com/octo/deploy");
  assert.equal(last.trim(), `AUTHORIZATION: basic ${basic}`, "in whatever order");
  for (const address of ["https://github.com/octo/deploy-more", "https://github.com/octo/other", "https://github.com/octo"]) {
    assert.equal(await header(address), "AUTHORIZATION: basic of-actions-checkout", address);
  }
  assert.equal(await world.git("config", "user.name"), "app[bot]\n");
  assert.equal(await world.git("config", "user.email"), "7+app[bot]@users.noreply.github.com\n");
  assert.equal(await world.git("config", "init.defaultBranch"), "trunk\n", "what was there stays");
  assert.match(step.log, new RegExp(`^::add-mask::${basic}$`, "m"));
  assert.doesNotMatch(step.shown, new RegExp(`${token}|${basic}`));
  assert.doesNotMatch(JSON.stringify(world.env), new RegExp(`${token}|${basic}`), "nor in what all programs see");
  assert.equal(readFileSync(join(world.folder, "workspace/.git/config"), "utf8"), before, "nor in the workspace");

  const [folder] = readdirSync(join(world.folder, "temp"));
  assert.ok(folder.startsWith("."), "an artifact leaves it out");
  const file = join(world.folder, "temp", folder, "gitconfig");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(join(world.folder, "temp", folder)).mode & 0o777, 0o700);

  await world.post();
  assert.ok(!existsSync(join(world.folder, "temp", folder)));
  assert.equal(await world.git("config", "user.name"), "somebody\n");
  assert.equal(await header("https://github.com/octo/deploy"), "AUTHORIZATION: basic of-actions-checkout");
});

test("configure-git: a git that is missing or too old is said, and the token is revoked", async (t) => {
  for (const [says, PATH] of Object.entries({ "There is no git here": "/nonexistent", "git 2.31 or newer": join(import.meta.dirname, "testdata/oldgit") })) {
    const world = await start(t);
    const step = await world.main({ "configure-git": "true" }, { PATH });
    assert.equal(step.code, 1);
    assert.match(step.log, new RegExp(`^::error::.*${says}`, "m"));
    await world.post();
    assert.match(world.requests.at(-1), /^DELETE .*bot-tokens/);
    assert.deepEqual(readdirSync(join(world.folder, "temp")), []);
  }
});

test("post: tries again what may pass, and a token that GitHub does not know yet", async (t) => {
  const world = await start(t);
  await world.main();
  world.away = true;
  world.next = { [revocation]: [answer(401, {}), answer(403, {}, { "Retry-After": "1" }), answer(500, {})] };
  const end = await world.post();
  assert.equal(end.code, 0);
  assert.equal(world.requests.filter((name) => name === revocation).length, 4);
  assert.match(end.log, /The token is revoked/);
});

test("post: an older token that GitHub does not know has ended", async (t) => {
  const world = await start(t);
  await world.main();
  world.away = true;
  world.state.issued = String(Date.now() - 60_000);
  world.next = { [revocation]: [answer(401, {})] };
  const end = await world.post();
  assert.doesNotMatch(end.log, /::warning::/);
  assert.equal(world.requests.filter((name) => name === revocation).length, 1);
});

test("post: a token that cannot be revoked is a warning, and no failure of the job", async (t) => {
  const world = await start(t);
  await world.main();
  world.away = true;
  world.next = { [revocation]: [answer(404, {})] };
  const end = await world.post();
  assert.equal(end.code, 0);
  assert.match(end.log, /^::warning::The token could not be revoked; it expires .*status 404/m);
  assert.doesNotMatch(end.shown, new RegExp(token));
});

test("proxy: the step runs again with Node's own support, once", async (t) => {
  const world = await start(t);
  const step = await world.main({}, { HTTPS_PROXY: "http://127.0.0.1:1", NO_PROXY: "127.0.0.1" });
  assert.equal(step.code, 0, step.log);
  assert.equal(world.requests.filter((name) => name === mint).length, 1);
  const failed = await world.main({ permissions: "" }, { HTTPS_PROXY: "http://127.0.0.1:1", NO_PROXY: "127.0.0.1" });
  assert.equal(failed.code, 1);
});
