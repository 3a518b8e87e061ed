/* What a data path that reads and writes by itself needs of a Udp object. */
#ifndef CLOUDBRIDGE_UDP_H
#define CLOUDBRIDGE_UDP_H

#include "local-address.h"
#include "xsmc.h"

/* Its descriptors, IPv4 first, -1 for none, and its memory of local addresses, which lives as long as the object. */
cb_local_addresses *cb_udp_parts(xsMachine *the, xsSlot *object, int fd[2]);

#endif
