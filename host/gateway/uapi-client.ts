import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { EXIT, GatewayError, messageOf, systemCode } from './errors.js';
import { uapiPath } from './uapi-path.js';

/** Longest a running gateway may take to answer, in ms. */
const ANSWER_TIMEOUT = 5_000;
/** Most of an answer that is taken, in characters: 65,536 peers with room to spare. */
const ANSWER_LIMIT = 256 << 20;

/** The interfaces that have a socket in the directory, sorted. */
export function listInterfaces(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((file) => file.endsWith('.sock'))
      .map((file) => file.slice(0, -'.sock'.length))
      .sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw new GatewayError(
      EXIT.permission,
      `cannot list ${directory}: ${messageOf(error)}; run as its owner`,
    );
  }
}

/**
 * Asks a running gateway and returns the lines of the answer before `errno`; `undefined` when it does not know the
 * operation. Throws a {@link GatewayError} when none is running or the socket is not ours to use.
 */
export function askGateway(directory: string, name: string, operation: string): Promise<string | undefined> {
  const path = uapiPath(directory, name);
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const parts: string[] = [];
    let size = 0;
    const fail = (exitCode: 4 | 9 | 10, sentence: string) => {
      socket.destroy();
      reject(new GatewayError(exitCode, sentence));
    };
    socket.setEncoding('utf8');
    socket.setTimeout(ANSWER_TIMEOUT, () =>
      fail(EXIT.system, `${name} did not answer within ${ANSWER_TIMEOUT} ms`),
    );
    socket.on('connect', () => socket.write(`${operation}\n\n`));
    socket.on('error', (error) => {
      const code = systemCode(error);
      if (code === 'ENOENT' || code === 'ECONNREFUSED') {
        fail(EXIT.notRunning, `no gateway named ${name} is running (${path}); start one with "up"`);
      } else if (code === 'EACCES') {
        fail(EXIT.permission, `no permission to ask ${name} (${path}); run as the user who started it`);
      } else fail(EXIT.system, `cannot ask ${name}: ${messageOf(error)}`);
    });
    socket.on('data', (text: string) => {
      parts.push(text);
      size += text.length;
      if (size > ANSWER_LIMIT) return fail(EXIT.system, `the answer of ${name} is too long`);
      if (!text.endsWith('\n\n') && !`${parts.at(-2) ?? ''}${text}`.endsWith('\n\n')) return;
      const answer = parts.join('');
      const end = /(?:^|\n)errno=(-?[0-9]+)\n\n$/.exec(answer);
      if (end === null) return;
      socket.destroy();
      if (end[1] === '0') resolve(answer.slice(0, end.index));
      else reject(new GatewayError(EXIT.system, `${name} refused: errno ${end[1]}`));
    });
    socket.on('end', () => {
      socket.destroy();
      resolve(undefined);
    });
  });
}
