import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { renderUnicodeCompact } from 'uqr';
import type { Lab } from './lab.js';
import { guestConfiguration } from './network.js';

const FILE = 'guest.conf';

/**
 * Writes the file with which any stock WireGuard client joins gateway 1, and returns what to tell about it: the
 * file's place, its QR code if asked for, and from where it can be used.
 */
export async function writeGuest(lab: Lab, listen: boolean, code: boolean): Promise<string> {
  const { network, folder } = lab;
  const guest = await lab.admitGuest();
  const addresses = listen ? localAddresses() : [];
  const host = addresses[0] ?? '127.0.0.1';
  const text = guestConfiguration(network, guest, host);
  const path = join(folder, FILE);
  writeFileSync(path, text, { mode: 0o600 });

  const page = `http://${network.gateways[0].address}/`;
  const lines = [`Join with any WireGuard client: ${path}`];
  if (code) lines.push(terminalCode(text));
  if (addresses.length > 0) {
    lines.push(`It reaches gateway 1 at ${host}:${guest.port} (UDP) from the local network.`);
    if (addresses.length > 1)
      lines.push(`Other addresses of this machine: ${addresses.slice(1).join(', ')}.`);
  } else if (listen) {
    lines.push('This machine has no address in a local network, so only clients on this machine can join.');
  } else {
    lines.push(
      'As it is, only a client on this machine can join (127.0.0.1); for a phone: npm start -- --listen',
    );
  }
  const place = process.getuid?.() === 0 ? '' : `XDG_RUNTIME_DIR=${folder} `;
  lines.push(
    `Ask a gateway yourself: ${place}node dist/cloudbridge-gateway.js status ${network.gateways[0].name}`,
  );
  if (lab.requestKind === 'http') lines.push(`Once joined, open ${page} through the tunnel.`);
  return `${lines.join('\n')}\n\n`;
}

/** IPv4 addresses at which the local network can reach this machine. */
export function localAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => address.family === 'IPv4' && !address.internal)
    .map((address) => address.address);
}

/** The text as a QR code for a terminal, in black on white whatever the terminal's own colours are. */
export function terminalCode(text: string): string {
  return renderUnicodeCompact(text, { ecc: 'L', border: 2 })
    .split('\n')
    .map((line) => `\x1b[97;40m${line}\x1b[0m`)
    .join('\n');
}
