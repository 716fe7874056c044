// Calls the service by @connectrpc/connect-web, whose three ways to write a call a browser may choose from: prints what
// each was answered, or its error, as JSON. The messages are read from the service's own descriptors.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary, fromJson, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient, ConnectError, Code } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";

const [baseUrl, descriptors, token, request] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const oip = registry.getService("inference.GRPCInferenceService");
const health = registry.getService("grpc.health.v1.Health");
const message = fromJson(oip.method.modelInfer.input, JSON.parse(request));
const authorize = (next) => (call) => {
  if (token) call.header.set("authorization", `Bearer ${token}`);
  return next(call);
};
const interceptors = [authorize];
const transports = {
  "connect-json": createConnectTransport({ baseUrl, interceptors }),
  "connect-proto": createConnectTransport({ baseUrl, interceptors, useBinaryFormat: true }),
  "connect-get": createConnectTransport({ baseUrl, interceptors, useHttpGet: true }),
  "grpc-web": createGrpcWebTransport({ baseUrl, interceptors }),
};

async function attempt(call) {
  try {
    return await call();
  } catch (error) {
    const raised = ConnectError.from(error);
    return { code: Code[raised.code], message: raised.rawMessage, retryAfter: raised.metadata.get("retry-after") };
  }
}

const said = {};
for (const [name, transport] of Object.entries(transports)) {
  const client = createClient(oip, transport);
  const trailers = {};
  const onTrailer = (found) => found.forEach((value, key) => (trailers[key] = value));
  said[name] = {
    live: (await attempt(() => client.serverLive({}))).live,
    answer: await attempt(async () => toJson(oip.method.modelInfer.output, await client.modelInfer(message, { onTrailer }))),
    trailers,
    unknown: await attempt(() => client.modelMetadata({ name: "nope" })),
    watched: await attempt(async () => {
      for await (const seen of createClient(health, transport).watch({})) return seen.status;
    }),
  };
}
console.log(JSON.stringify(said));
