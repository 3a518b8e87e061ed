/** What a test asks about datagrams on the virtual wire. */

import { messageType, readU32 } from '../../../src/wireguard/messages.js';
import type { Datagram, VirtualNode } from './world.js';

export const INITIATION = 1;
export const RESPONSE = 2;
export const COOKIE_REPLY = 3;
export const DATA = 4;

export function typeOf(datagram: Datagram): number {
  return messageType(datagram.bytes, 0, datagram.bytes.length);
}

export function ofType(datagrams: readonly Datagram[], type: number, from?: VirtualNode): Datagram[] {
  return datagrams.filter(
    (datagram) => typeOf(datagram) === type && (!from || datagram.from === from.address),
  );
}

export function isKeepalive(datagram: Datagram): boolean {
  return typeOf(datagram) === DATA && datagram.bytes.length === 32;
}

export function keepalives(datagrams: readonly Datagram[], from?: VirtualNode): Datagram[] {
  return ofType(datagrams, DATA, from).filter(isKeepalive);
}

export function counterOf(datagram: Datagram): bigint {
  return (BigInt(readU32(datagram.bytes, 12)) << 32n) | BigInt(readU32(datagram.bytes, 8));
}

export function timesOf(datagrams: readonly Datagram[]): number[] {
  return datagrams.map((datagram) => datagram.at);
}

/** Differences between neighbours. */
export function gapsOf(datagrams: readonly Datagram[]): number[] {
  return datagrams.slice(1).map((datagram, i) => datagram.at - datagrams[i].at);
}
