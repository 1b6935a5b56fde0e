import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "@playwright/test";

/** A port nothing listens on now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = process.env.PREDILECT_BIN ?? join(root, "target/release/predilect");
// Workers read this file too: what the first reading finds is handed on through the environment.
const port = Number((process.env.PREDILECT_E2E_PORT ??= String(await freePort())));
// Every run starts from an empty store.
const dataDir = (process.env.PREDILECT_E2E_DATA_DIR ??= mkdtempSync(join(tmpdir(), "predilect-e2e-")));

export default defineConfig({
  testDir: "specs",
  outputDir: "../../target/e2e",
  // One device draws for all tests; side by side they would only wait for each other.
  workers: 1,
  timeout: 120_000,
  expect: { timeout: 20_000 },
  forbidOnly: true,
  use: {
    baseURL: `http://127.0.0.1:${port}`,
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
  webServer: {
    command: `"${program}" serve`,
    cwd: root,
    url: `http://127.0.0.1:${port}/readyz`,
    env: { PREDILECT_LISTEN: `127.0.0.1:${port}`, PREDILECT_DATA_DIR: dataDir },
    // Loading the weights on a busy machine takes a while.
    timeout: 180_000,
    stdout: "pipe",
    gracefulShutdown: { signal: "SIGTERM", timeout: 10_000 },
  },
});
