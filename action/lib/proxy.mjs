import { spawnSync } from "node:child_process";

/**
 * withProxy runs the program again where the runner has to use a proxy, and reports
 * whether it did: Node heeds HTTPS_PROXY and NO_PROXY only if it is told so when it starts.
 */
export function withProxy(program) {
  const proxy = process.env.HTTPS_PROXY || process.env.https_proxy;
  if (!proxy || process.env.NODE_USE_ENV_PROXY) {
    return false;
  }
  const run = spawnSync(process.execPath, [program], { stdio: "inherit", env: { ...process.env, NODE_USE_ENV_PROXY: "1" } });
  process.exitCode = run.status ?? 1;
  return true;
}
