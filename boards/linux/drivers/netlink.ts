/** The kernel's view of interfaces, addresses and routes. Results below zero are negative errnos. */

/** The interface's index, 0 when there is none of this name. */
export function interfaceIndex(this: void, name: string): number {
  return native('xs_netlink_index').call(this, name);
}

export function interfaceName(this: void, index: number): string | undefined {
  return native('xs_netlink_name').call(this, index);
}

/** Sets the MTU (bytes) and, with `up`, brings the link up. */
export function setLink(this: void, index: number, mtu: number, up: boolean): number {
  return native('xs_netlink_set_link').call(this, index, mtu, up);
}

/** The interface's MTU in bytes. */
export function linkMtu(this: void, name: string): number {
  return native('xs_netlink_link_mtu').call(this, name);
}

export function addAddress(this: void, index: number, address: Uint8Array, prefixLength: number): number {
  return native('xs_netlink_add_address').call(this, index, address, prefixLength);
}

export function removeAddress(this: void, index: number, address: Uint8Array, prefixLength: number): number {
  return native('xs_netlink_remove_address').call(this, index, address, prefixLength);
}

/** Adds or deletes a route to an interface; table 0 is the main one. */
export function changeRoute(
  this: void,
  adding: boolean,
  index: number,
  address: Uint8Array,
  prefixLength: number,
  table: number,
): number {
  return native('xs_netlink_route').call(this, adding, index, address, prefixLength, table);
}

/**
 * Adds or deletes a policy rule: packets without `mark` look into `table`; with mark 0, all look into `table` but
 * take no default route from it.
 */
export function changeRule(
  this: void,
  adding: boolean,
  family: 4 | 6,
  preference: number,
  table: number,
  mark: number,
): number {
  return native('xs_netlink_rule').call(this, adding, family, preference, table, mark);
}

/** MTU in bytes of the route to an endpoint record, 0 when there is no route. */
export function routeMtu(this: void, record: Uint8Array): number {
  return native('xs_netlink_route_mtu').call(this, record);
}
