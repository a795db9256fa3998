// MalformedRequest: bytes from a peer that do not follow the protocol. The only error `Reader` throws; the
// door answers it by closing the connection, because nothing after such bytes can be trusted.

export class MalformedRequest extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MalformedRequest";
  }
}
