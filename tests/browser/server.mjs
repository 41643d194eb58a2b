// The built site over HTTP, compressed as a host would send it.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};
const PACKED = new Set([".png", ".woff2"]);

/** What was compressed before is kept, as a host keeps it: packing is not the browser's time. */
const kept = new Map();
function zipped(body) {
  const key = createHash("sha1").update(body).digest("base64");
  if (!kept.has(key)) kept.set(key, gzipSync(body));
  return kept.get(key);
}

/**
 * Serve a folder on a free port.
 *
 * `extra` maps paths to pages of a test's own. `server.sent` lists what was sent, in order: path and bytes.
 */
export async function serve(folder, extra = {}) {
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    const path = decodeURIComponent(pathname).replace(/\/$/, "/index.html");
    try {
      const body = extra[path]?.(searchParams) ?? (await readFile(join(folder, normalize(path))));
      const kind = extname(path) || ".html";
      const packed = PACKED.has(kind) ? body : zipped(body);
      server.sent.push({ path, bytes: packed.length });
      const encoding = PACKED.has(kind) ? {} : { "Content-Encoding": "gzip" };
      const head = { "Content-Type": TYPES[kind] ?? "application/octet-stream", "Content-Length": packed.length };
      response.writeHead(200, { ...head, ...encoding, "Cache-Control": "max-age=600" }).end(packed);
    } catch {
      server.sent.push({ path, bytes: 0, missing: true });
      response.writeHead(404, { "Content-Type": "text/plain" }).end("not found");
    }
  });
  server.sent = [];
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.address_ = `http://127.0.0.1:${server.address().port}`;
  server.stop = () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve)));
  return server;
}
