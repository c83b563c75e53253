// A runner, GitHub Actions' identity tokens, the service and GitHub's API, as the two
// steps of the action see them.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const action = join(import.meta.dirname, "../..");
export const token = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";

/** start begins a world of its own for a test, which ends with it. */
export async function start(t) {
  const world = new World();
  await new Promise((listening) => world.server.listen(0, "127.0.0.1", listening));
  world.url = `http://127.0.0.1:${world.server.address().port}`;
  t.after(() => world.end());
  return world;
}

class World {
  requests = []; // what was asked, as "METHOD PATH"
  bodies = [];
  bearers = [];
  identities = 0;
  away = false; // the service, at the end of the job
  // What the next requests are answered with, in place of what is usual: by "METHOD PATH".
  next = {};

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "ghscoped-action-"));
    mkdirSync(join(this.folder, "temp"));
    mkdirSync(join(this.folder, "workspace"));
    this.server = createServer((request, response) => this.answer(request, response));
    this.state = {};
    this.env = {};
  }

  end() {
    this.server.closeAllConnections();
    this.server.close();
    rmSync(this.folder, { recursive: true });
  }

  async answer(request, response) {
    let body = "";
    for await (const part of request) {
      body += part;
    }
    const address = new URL(request.url, this.url);
    const name = `${request.method} ${address.pathname}`;
    this.requests.push(name);
    this.bearers.push(request.headers.authorization);
    this.bodies.push(body);
    const { status, headers = {}, text } = this.next[name]?.shift() ?? this.usual(name, address);
    response.writeHead(status, headers);
    response.end(text);
  }

  usual(name, address) {
    switch (name) {
      case "GET /identity":
        this.identities++;
        this.audience = address.searchParams.get("audience");
        return answer(200, { value: `identity.${this.identities}` });
      case "POST /services/connect-github/api/bot-tokens":
        return answer(200, {
          token, expires_at: "2026-11-28T13:00:00Z", repositories: ["octo/deploy"], permissions: { contents: "write" },
          git: { name: "app[bot]", email: "7+app[bot]@users.noreply.github.com" },
        });
      case `DELETE /services/connect-github/api/bot-tokens/${createHash("sha256").update(token).digest("hex")}`:
        return { status: this.away ? 503 : 204 };
      case "DELETE /api/installation/token":
        return { status: 204 };
    }
    return answer(404, {});
  }

  /** main runs the step, and keeps what it leaves for those that come. */
  main(inputs = {}, env = {}) {
    const given = { hub: `${this.url}/services/connect-github`, repositories: "octo/deploy", permissions: "contents: write", ...inputs };
    const asked = {};
    for (const [name, value] of Object.entries(given)) {
      asked[`INPUT_${name.toUpperCase()}`] = value;
    }
    return this.run("main.mjs", {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${this.url}/identity?api-version=2.0`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "of-the-runner", ...asked, ...env,
    });
  }

  post(env = {}) {
    return this.run("post.mjs", {
      ACTIONS_ID_TOKEN_REQUEST_URL: `${this.url}/identity?api-version=2.0`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "of-the-runner", ...env,
    });
  }

  async run(program, env) {
    const files = {};
    for (const name of ["GITHUB_OUTPUT", "GITHUB_STATE", "GITHUB_ENV"]) {
      files[name] = join(this.folder, name);
      writeFileSync(files[name], "");
    }
    const state = Object.fromEntries(Object.entries(this.state).map(([name, value]) => [`STATE_${name}`, value]));
    const child = spawn(process.execPath, [join(action, program)], {
      cwd: join(this.folder, "workspace"),
      env: {
        PATH: process.env.PATH, HOME: this.folder, RUNNER_TEMP: join(this.folder, "temp"), GIT_CONFIG_NOSYSTEM: "1",
        GITHUB_API_URL: `${this.url}/api`, GITHUB_SERVER_URL: "https://github.com", ...this.env, ...files, ...state, ...env,
      },
    });
    let log = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (log += text));
    }
    const code = await new Promise((ended) => child.on("close", ended));
    const outputs = told(files.GITHUB_OUTPUT);
    Object.assign(this.state, told(files.GITHUB_STATE));
    Object.assign(this.env, told(files.GITHUB_ENV));
    return { code, log, outputs, shown: shown(log) };
  }

  /** git is what it prints in the workspace, in a step that comes later. */
  async git(...args) {
    const child = spawn("git", args, {
      cwd: join(this.folder, "workspace"), env: { PATH: process.env.PATH, HOME: this.folder, GIT_CONFIG_NOSYSTEM: "1", ...this.env },
    });
    let out = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (out += text));
    await new Promise((ended) => child.on("close", ended));
    return out;
  }
}

export function answer(status, body, headers = {}) {
  return { status, headers, text: JSON.stringify(body) };
}

/** told reads what a step told the runner in a file. */
function told(file) {
  const found = {};
  for (const [, name, , value] of readFileSync(file, "utf8").matchAll(/^([^<\n]+)<<(.+)\n([^]*?)\n\2$/gm)) {
    found[name] = value;
  }
  return found;
}

/** shown is the log as people see it: each masked value is *** from its mask on. */
function shown(log) {
  const masks = [];
  return log.split("\n").map((line) => {
    const [, value] = /^::add-mask::(.*)$/.exec(line) ?? [];
    if (value !== undefined) {
      masks.push(value);
      return "";
    }
    return masks.reduce((text, mask) => text.replaceAll(mask, "***"), line);
  }).join("\n");
}
