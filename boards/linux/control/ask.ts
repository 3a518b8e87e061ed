/** Asks a running gateway of this host by its control socket. */

import { type GatewayStatus, STATUS_OPERATION } from '../../../src/gateway/status.js';
import { textOfBytes } from '../../../src/identity/text.js';
import { EACCES, ECONNREFUSED, ENOENT, errorText } from '../drivers/system-error.js';
import { connectSocket, UnixStream } from '../drivers/unix-socket.js';
import { CONTROL_DIRECTORY } from '../gateway/control-socket.js';
import { EXIT, GatewayError } from '../gateway/gateway-error.js';
import { type Services, timerOf } from './services.js';

/** Longest a running gateway may take to answer, ms. */
const ANSWER_TIMEOUT = 5_000;

/** Calls back once. */
export function askStatus(
  name: string,
  services: Services,
  done: (answer: GatewayStatus | GatewayError) => void,
): void {
  const path = `${CONTROL_DIRECTORY}/${name}.sock`;
  const timer = timerOf(services)();
  const fd = connectSocket(path);
  if (fd < 0) {
    timer.schedule(0, () => done(refusal(name, path, -fd)));
    return;
  }
  const stream = new UnixStream(fd, services.edge);
  const parts: string[] = [];
  let ended = false;
  const end = (answer: GatewayStatus | GatewayError): void => {
    if (ended) return;
    ended = true;
    timer.cancel();
    stream.close();
    done(answer);
  };
  timer.schedule(ANSWER_TIMEOUT, () => end(new GatewayError(EXIT.system, `${name} does not answer`)));
  stream.onData = (bytes) => {
    parts.push(textOfBytes(bytes));
    // One line of JSON, the outcome, and an empty line.
    if (!/errno=-?[0-9]+\n\n$/.test(parts.slice(-2).join(''))) return;
    const [json, outcome] = parts.join('').split('\n');
    if (outcome === 'errno=0') end(JSON.parse(json) as GatewayStatus);
    else end(new GatewayError(EXIT.system, `${name} is another WireGuard program; ask "wg show ${name}"`));
  };
  stream.onClosed = () => end(new GatewayError(EXIT.system, `${name} closed the connection`));
  stream.write(`${STATUS_OPERATION}\n\n`);
}

function refusal(name: string, path: string, errno: number): GatewayError {
  switch (errno) {
    case ENOENT:
    case ECONNREFUSED:
      return new GatewayError(EXIT.notRunning, `no gateway named ${name} is running (${path})`);
    case EACCES:
      return new GatewayError(EXIT.permission, `no permission to ask ${name} (${path}); run as root`);
    default:
      return new GatewayError(EXIT.system, `cannot ask ${name}: ${errorText(errno)}`);
  }
}
