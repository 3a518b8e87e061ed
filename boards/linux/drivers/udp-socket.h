/* One UDP socket per family on one port, non-blocking, with large buffers. */
#ifndef CLOUDBRIDGE_UDP_SOCKET_H
#define CLOUDBRIDGE_UDP_SOCKET_H

#include <stdint.h>

/* Opens both on `port` (0: any, the same for both). -1 in `v6` where the host has no IPv6. 0 or a negative errno. */
int cb_udp_open(int *v4, int *v6, uint16_t *port, uint32_t mark);
int cb_udp_mark(int fd, uint32_t mark);

#endif
