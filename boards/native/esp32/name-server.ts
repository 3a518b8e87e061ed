/**
 * Tells clients of an access point, by DHCP, which name server to ask: this one (4 bytes), or null for the one that the
 * uplink was told of. Interfaces are named by the IDF's keys. False when there is none or it could not be set.
 */
export function offerNameServer(
  this: void,
  clients: string,
  uplink: string,
  address: Uint8Array | null,
): boolean {
  return native('xs_name_server_offer').call(this, clients, uplink, address);
}
