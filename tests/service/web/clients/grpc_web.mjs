// Calls the service by grpc-web, Google's client, in both its formats; prints what it was answered as JSON.
import grpcWeb from "grpc-web";
import XMLHttpRequest from "xhr2";

globalThis.XMLHttpRequest = XMLHttpRequest;
const [url, token] = process.argv.slice(2);
const path = "/inference.GRPCInferenceService/ModelReady";
const bytes = (text) => new TextEncoder().encode(text);
// { string name = 1 } and { bool ready = 1 }
const write = (name) => Uint8Array.of(10, name.length, ...bytes(name));
const read = (message) => message[1] === 1;
const method = new grpcWeb.MethodDescriptor(path, grpcWeb.MethodType.UNARY, Object, Object, write, read);

const said = {};
for (const format of ["text", "binary"]) {
  const client = new grpcWeb.GrpcWebClientBase({ format });
  const metadata = token ? { authorization: `Bearer ${token}` } : {};
  for (const name of ["flight_delay", "nope"]) {
    said[`${format} ${name}`] = await client
      .unaryCall(url + path, name, metadata, method)
      .catch((error) => ({ code: error.code, message: error.message }));
  }
}
console.log(JSON.stringify(said));
