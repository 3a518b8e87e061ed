#pragma once
#include "lwip/err.h"
typedef enum { PBUF_TRANSPORT = 74, PBUF_LINK = 14, PBUF_RAW = 0 } pbuf_layer;
typedef enum { PBUF_RAM = 0x280 } pbuf_type;
#define PBUF_TYPE_FLAG_DATA_VOLATILE 0x40
struct pbuf {
	struct pbuf *next;
	void *payload;
	u16_t tot_len, len;
	u8_t type_internal;
};
#define PBUF_NEEDS_COPY(packet) ((packet)->type_internal & PBUF_TYPE_FLAG_DATA_VOLATILE)
struct pbuf *pbuf_alloc(pbuf_layer layer, u16_t length, pbuf_type type);
struct pbuf *pbuf_clone(pbuf_layer layer, pbuf_type type, struct pbuf *packet);
void pbuf_ref(struct pbuf *packet);
u8_t pbuf_free(struct pbuf *packet);
u16_t pbuf_copy_partial(const struct pbuf *packet, void *to, u16_t length, u16_t offset);
err_t pbuf_take(struct pbuf *packet, const void *from, u16_t length);
