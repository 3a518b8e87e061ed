/** TLS towards the control plane: version 1.3, a verified name and, where pins are set, a key that is one of them. */

import { createHash, X509Certificate } from 'node:crypto';
import { type ConnectionOptions, checkServerIdentity, type PeerCertificate } from 'node:tls';
import type { Pins } from '../../../src/identity/pins.js';

export { type Pins, parsePin } from '../../../src/identity/pins.js';

/** `ca`: certificates to trust in the place of the system's, PEM. */
export function controlTls(pins: Pins, ca?: string): ConnectionOptions {
  return {
    ...(ca === undefined ? {} : { ca }),
    minVersion: 'TLSv1.3',
    // Called before anything is sent: a wrong server never sees the token.
    checkServerIdentity: (host, certificate) =>
      checkServerIdentity(host, certificate) ?? pinMismatch(certificate, pins),
  };
}

/** The pin of a certificate's key. */
export function pinOf(raw: Uint8Array): string {
  const key = new X509Certificate(raw).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

function pinMismatch(certificate: PeerCertificate, pins: Pins): Error | undefined {
  if (pins.length === 0 || pins.includes(pinOf(certificate.raw))) return undefined;
  return new Error('the server’s key is none of the pinned ones');
}
