// Certificates for one test run: an authority and what it vouches for, made by openssl. Nothing of them is kept.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProcess } from "./processes.ts";
import { tempFolder } from "./temp-folder.ts";

const opensslMsMax = 20_000;

export interface Certificates {
  /** PEM file of the authority's certificate. */
  readonly caFile: string;
  /** PEM file with key and certificate of a server at 127.0.0.1 and localhost. */
  readonly serverFile: string;
  /** The same for a client. */
  readonly clientFile: string;
}

export async function makeCertificates(): Promise<Certificates> {
  const folder = tempFolder("certificates");
  const caKey = join(folder, "ca.key");
  const caFile = join(folder, "ca.pem");
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const authority = ["-keyout", caKey, "-out", caFile, "-subj", "/CN=test authority"];
  await openssl(["req", "-x509", "-days", "2", ...key, ...authority]);
  const issue = async (name: string): Promise<string> => {
    const [request, signed, own] = ["csr", "crt", "key"].map((end) =>
      join(folder, `${name}.${end}`),
    );
    const names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
    const wish = ["-keyout", own!, "-out", request!, "-subj", `/CN=${name}`, "-addext", names];
    await openssl(["req", "-new", ...key, ...wish]);
    const by = ["-CA", caFile, "-CAkey", caKey, "-CAcreateserial", "-copy_extensions", "copy"];
    await openssl(["x509", "-req", "-in", request!, "-out", signed!, "-days", "2", ...by]);
    return joined(join(folder, `${name}.pem`), [own!, signed!]);
  };
  return { caFile, serverFile: await issue("server"), clientFile: await issue("client") };
}

function joined(path: string, parts: readonly string[]): string {
  writeFileSync(path, parts.map((part) => readFileSync(part, "utf8")).join(""));
  return path;
}

async function openssl(args: readonly string[]): Promise<void> {
  const end = await runProcess(["openssl", ...args], { limitMs: opensslMsMax });
  if (end.code !== 0) throw new Error(`openssl ${args[0]}: ${end.stderr}`);
}
