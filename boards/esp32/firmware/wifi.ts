import WiFi from 'wifi';
import type { Log } from '../../../src/ports.js';
import { type Edge, messageOf } from '../../xs/edge.js';
import { OneShot } from './one-shot.js';
import type { Settings } from './settings.js';
import type { Uplink } from './uplink.js';

/** Pause before another attempt to join, ms. */
const RETRY = 5_000;

/** The chip as a station of a Wi-Fi network and, when configured, an access point for clients of its own. */
export class WifiUplink implements Uplink {
  readonly key: string = 'WIFI_STA_DEF';
  readonly #settings: Settings;
  readonly #log: Log;
  readonly #edge: Edge;
  readonly #retry: OneShot;
  #wifi: WiFi | undefined;

  constructor(settings: Settings, log: Log, edge: Edge) {
    this.#settings = settings;
    this.#log = log;
    this.#edge = edge;
    this.#retry = new OneShot(edge);
  }

  get clientKeys(): readonly string[] {
    return this.#settings.accessPointSsid === undefined ? [] : ['WIFI_AP_DEF'];
  }

  begin(onAddress: () => void): void {
    const { ssid, password, accessPointSsid, accessPointPassword } = this.#settings;
    if (ssid === undefined)
      throw new Error('no Wi-Fi network is configured; see boards/esp32/README.md, "Provisioning"');
    if (accessPointSsid !== undefined) this.#openAccessPoint(accessPointSsid, accessPointPassword);
    const options = password === undefined ? { ssid } : { ssid, password };
    this.#wifi = new WiFi(options, (message) => {
      try {
        this.#hear(message, options, onAddress);
      } catch (error) {
        this.#edge.caught('wifi', error);
      }
    });
  }

  #openAccessPoint(ssid: string, password: string | undefined): void {
    if (password === undefined)
      throw new Error('the access point has no password; set ap.password (8 characters or more)');
    // The SDK's declarations do not know `station`, which keeps the station beside the access point.
    const options = { ssid, password, station: true };
    WiFi.accessPoint(options);
    this.#log.write('info', 'access-point', { ssid });
  }

  #hear(message: string, options: { ssid: string; password?: string }, onAddress: () => void): void {
    if (message === 'gotIP') {
      this.#retry.cancel();
      this.#log.write('info', 'link-up', { ssid: options.ssid });
      onAddress();
    } else if (message === 'disconnect' && this.#wifi !== undefined) {
      this.#log.write('warn', 'link-down', { ssid: options.ssid });
      this.#retry.schedule(RETRY, () => this.#join(options));
    }
  }

  #join(options: { ssid: string; password?: string }): void {
    try {
      WiFi.connect(options);
    } catch (error) {
      this.#log.write('warn', 'join-failed', { reason: messageOf(error) });
      this.#retry.schedule(RETRY, () => this.#join(options));
    }
  }
}
