/**
 * Which room may import which: the arrows of the design, as data. A room is a folder of `src/`, or a file that
 * lies in `src/` itself. Every room may import itself.
 */
export const ROOMS: Readonly<Record<string, readonly string[]>> = {
  packet: [],
  crypto: [],
  ports: ['packet'],
  config: ['packet', 'crypto', 'ports'],
  identity: ['crypto', 'ports'],
  wireguard: ['packet', 'crypto', 'ports'],
  control: ['packet', 'crypto', 'ports', 'config', 'identity'],
  ice: ['packet', 'crypto', 'ports', 'wireguard'],
  // Of `control` only its HTTP and WebSocket on plain streams.
  transport: ['packet', 'crypto', 'ports', 'wireguard', 'ice', 'control'],
  router: ['packet', 'crypto', 'ports', 'config', 'wireguard', 'ice', 'transport'],
  // What an operator changes and sees of a running gateway.
  // The composition: the only one that knows everyone.
  gateway: [
    ...['packet', 'crypto', 'ports', 'config', 'identity', 'wireguard', 'control', 'ice', 'transport'],
    'router',
  ],
};

/** The top folders, and which others each may import. */
export const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  src: [],
  boards: ['src'],
  host: ['src'],
};

/** The packages the portable core may use: pure JavaScript that runs on every engine. */
export const CORE_PACKAGES = /^(tweetnacl|@noble\/(ciphers|hashes)(\/.*)?)$/;

/** Names that the portable core must not touch, and what to use instead. */
export const FORBIDDEN_GLOBALS: Readonly<Record<string, string>> = {
  Date: 'time is passed in: Clock of src/ports.ts',
  performance: 'time is passed in: Clock of src/ports.ts',
  setTimeout: 'state machines return their next deadline',
  setInterval: 'state machines return their next deadline',
  setImmediate: 'state machines return their next deadline',
  queueMicrotask: 'state machines return their next deadline',
  console: 'Log of src/ports.ts',
  Buffer: 'Uint8Array; Buffer is Node only',
  process: 'Node only',
  global: 'Node only',
  require: 'Node only',
  globalThis: 'the core reaches the outside through src/ports.ts only',
  window: 'the core reaches the outside through src/ports.ts only',
  self: 'the core reaches the outside through src/ports.ts only',
  fetch: 'the core reaches the outside through src/ports.ts only',
  crypto: 'Primitives of src/crypto/primitives.ts',
  TextEncoder: 'not part of the language; XS has none',
  TextDecoder: 'not part of the language; XS has none',
  URL: 'not part of the language; XS has none',
  atob: 'not part of the language; XS has none',
  btoa: 'not part of the language; XS has none',
  structuredClone: 'not part of the language; XS has none',
  BigInt: 'two 32-bit halves; BigInt allocates',
  BigInt64Array: 'two 32-bit halves; BigInt allocates',
  BigUint64Array: 'two 32-bit halves; BigInt allocates',
  eval: 'firmware has no compiler',
  Function: 'firmware has no compiler',
  Intl: 'XS has none',
};

/** Properties of allowed globals that are forbidden all the same. */
export const FORBIDDEN_MEMBERS: Readonly<Record<string, string>> = {
  'Math.random': 'Primitives.random; libc rand() on some engines',
  'DataView.getBigInt64': 'two 32-bit halves; BigInt allocates',
  'DataView.getBigUint64': 'two 32-bit halves; BigInt allocates',
  'DataView.setBigInt64': 'two 32-bit halves; BigInt allocates',
  'DataView.setBigUint64': 'two 32-bit halves; BigInt allocates',
};

/** Methods that change what they are called on: on a module's own constant they make it state. */
export const MUTATING_METHODS: ReadonlySet<string> = new Set([
  ...['set', 'fill', 'copyWithin', 'sort', 'reverse', 'add', 'delete', 'clear'],
  ...['push', 'pop', 'shift', 'unshift', 'splice'],
  ...['setInt8', 'setUint8', 'setInt16', 'setUint16', 'setInt32', 'setUint32', 'setFloat32', 'setFloat64'],
]);
