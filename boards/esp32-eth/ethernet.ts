import Ethernet from 'embedded:network/interface/ethernet';
import type { Log } from '../../src/ports.js';
import type { Uplink } from '../esp32/firmware/uplink.js';
import type { Edge } from '../xs/edge.js';

/** The chip's own Ethernet interface, with an address by DHCP. */
export class EthernetUplink implements Uplink {
  readonly key: string = 'ETH_DEF';
  readonly clientKeys: readonly string[] = [];
  readonly #log: Log;
  readonly #edge: Edge;
  #ethernet: Ethernet | undefined;

  constructor(log: Log, edge: Edge) {
    this.#log = log;
    this.#edge = edge;
  }

  begin(onAddress: () => void): void {
    const ethernet = new Ethernet({
      onChanged: (property) => {
        try {
          if (property === 'address') this.#addressChanged(onAddress);
        } catch (error) {
          this.#edge.caught('ethernet', error);
        }
      },
    });
    this.#ethernet = ethernet;
    ethernet.connect();
  }

  #addressChanged(onAddress: () => void): void {
    const address = this.#ethernet?.address;
    this.#log.write(
      address === undefined ? 'warn' : 'info',
      address === undefined ? 'link-down' : 'link-up',
      { address },
    );
    if (address !== undefined) onAddress();
  }
}
