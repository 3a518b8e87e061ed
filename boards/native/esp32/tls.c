/*
 * The methods of NativeTls (boards/xs/tls/native-tls.ts): TLS 1.3 by the IDF's Mbed TLS between two memory buffers. It opens no socket;
 * what comes from the network is fed in, what should go there is taken out. (esp_tls, which stands on the same library,
 * has sockets of its own that must be asked again and again.)
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffers.h"
#include "esp_crt_bundle.h"
#include "mbedtls/error.h"
#include "mbedtls/ssl.h"
#include "mbedtls/x509_crt.h"
#include "psa/crypto.h"

#define PIN_BYTES 32

#define MORE 0
#define READY 1
#define ENDED (-1)
#define FAILED (-2)

/* Bytes on their way; what was taken is cut off when more is put behind. */
typedef struct {
	uint8_t *bytes;
	size_t start, end, room;
} flow;

typedef struct {
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config config;
	mbedtls_x509_crt authorities;
	flow input, output;
	uint8_t *pins;
	size_t pinCount;
	char reason[160];
} session;

static void free_session(session *self)
{
	mbedtls_ssl_free(&self->ssl);
	mbedtls_ssl_config_free(&self->config);
	mbedtls_x509_crt_free(&self->authorities);
	free(self->input.bytes);
	free(self->output.bytes);
	free(self->pins);
	free(self);
}

void xs_tls_destructor(void *data)
{
	if (data != NULL) free_session(data);
}

/* Whether there was memory. */
static int put(flow *to, const uint8_t *bytes, size_t length)
{
	if (to->start > 0) {
		memmove(to->bytes, to->bytes + to->start, to->end - to->start);
		to->end -= to->start;
		to->start = 0;
	}
	if (to->end + length > to->room) {
		uint8_t *larger = realloc(to->bytes, to->end + length);
		if (larger == NULL) return 0;
		to->bytes = larger;
		to->room = to->end + length;
	}
	memcpy(to->bytes + to->end, bytes, length);
	to->end += length;
	return 1;
}

static size_t take(flow *from, uint8_t *bytes, size_t length)
{
	const size_t waiting = from->end - from->start;
	const size_t count = length < waiting ? length : waiting;
	if (count > 0) memcpy(bytes, from->bytes + from->start, count);
	from->start += count;
	if (from->start == from->end) {
		/* A handshake needs far more than what follows it. */
		free(from->bytes);
		memset(from, 0, sizeof *from);
	}
	return count;
}

static int send_record(void *context, const unsigned char *bytes, size_t length)
{
	session *self = context;
	return put(&self->output, bytes, length) ? (int)length : MBEDTLS_ERR_SSL_ALLOC_FAILED;
}

static int receive_record(void *context, unsigned char *bytes, size_t length)
{
	session *self = context;
	const size_t count = take(&self->input, bytes, length);
	return count > 0 ? (int)count : MBEDTLS_ERR_SSL_WANT_READ;
}

/* Authorities from PEM text, or those of the IDF's bundle. */
static int trust(session *self, const char *authorities)
{
	if (authorities == NULL) return esp_crt_bundle_attach(&self->config) == ESP_OK;
	/* The zero byte counts: the parser tells text from DER by it. */
	const int failed = mbedtls_x509_crt_parse(&self->authorities, (const unsigned char *)authorities, strlen(authorities) + 1);
	mbedtls_ssl_conf_ca_chain(&self->config, &self->authorities, NULL);
	return failed == 0;
}

static int configure(session *self, const char *host, const char *authorities)
{
	mbedtls_ssl_config *config = &self->config;
	if (psa_crypto_init() != PSA_SUCCESS) return 0;
	if (mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT) != 0) return 0;
	mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
	mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
	if (!trust(self, authorities)) return 0;
	if (mbedtls_ssl_setup(&self->ssl, config) != 0 || mbedtls_ssl_set_hostname(&self->ssl, host) != 0) return 0;
	mbedtls_ssl_set_bio(&self->ssl, self, send_record, receive_record, NULL);
	return 1;
}

/* (host, pins, authorities): pins are hashes of 32 bytes each; authorities PEM text or undefined. Whether it worked. */
void xs_tls_open(xsMachine *the)
{
	char host[256];
	xsmcToStringBuffer(xsArg(0), host, sizeof host);
	session *self = calloc(1, sizeof *self);
	xsmcSetBoolean(xsResult, 0);
	if (self == NULL) return;
	mbedtls_ssl_init(&self->ssl);
	mbedtls_ssl_config_init(&self->config);
	mbedtls_x509_crt_init(&self->authorities);
	const cb_buffer pins = cb_readable(the, &xsArg(1));
	self->pinCount = pins.length / PIN_BYTES;
	self->pins = malloc(pins.length + 1);
	if (self->pins != NULL) memcpy(self->pins, pins.bytes, pins.length);
	const char *authorities = xsmcTypeOf(xsArg(2)) == xsUndefinedType ? NULL : xsmcToString(xsArg(2));
	if (self->pins == NULL || !configure(self, host, authorities)) {
		free_session(self);
		return;
	}
	xsmcSetHostData(xsThis, self);
	xsmcSetBoolean(xsResult, 1);
}

static int fail(session *self, int error)
{
	const uint32_t verified = mbedtls_ssl_get_verify_result(&self->ssl);
	char text[96];
	if (error == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && mbedtls_x509_crt_verify_info(text, sizeof text, "", verified) > 0) {
		text[strcspn(text, "\n")] = 0;
		snprintf(self->reason, sizeof self->reason, "the server’s certificate is bad: %s", text);
	} else {
		mbedtls_strerror(error, text, sizeof text);
		snprintf(self->reason, sizeof self->reason, "TLS: %s", text);
	}
	return FAILED;
}

static int outcome(session *self, int result)
{
	switch (result) {
	case MBEDTLS_ERR_SSL_WANT_READ:
	case MBEDTLS_ERR_SSL_WANT_WRITE:
	case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
		return MORE;
	case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
		return ENDED;
	default:
		return fail(self, result);
	}
}

static int is_pinned(const session *self)
{
	const mbedtls_x509_crt *certificate = mbedtls_ssl_get_peer_cert(&self->ssl);
	uint8_t digest[PIN_BYTES];
	size_t size = 0;
	if (self->pinCount == 0) return 1;
	if (certificate == NULL) return 0;
	const mbedtls_x509_buf *key = &certificate->pk_raw;
	if (psa_hash_compute(PSA_ALG_SHA_256, key->p, key->len, digest, sizeof digest, &size) != PSA_SUCCESS) return 0;
	for (size_t i = 0; size == PIN_BYTES && i < self->pinCount; i++) {
		if (memcmp(digest, self->pins + i * PIN_BYTES, PIN_BYTES) == 0) return 1;
	}
	return 0;
}

/* Goes on with the handshake: READY when it is over, MORE, or FAILED. */
void xs_tls_handshake(xsMachine *the)
{
	session *self = xsmcGetHostData(xsThis);
	int result = mbedtls_ssl_handshake(&self->ssl);
	if (result != 0) result = outcome(self, result);
	else if (is_pinned(self)) result = READY;
	else {
		snprintf(self->reason, sizeof self->reason, "the server’s key is none of the pinned ones");
		result = FAILED;
	}
	xsmcSetInteger(xsResult, result);
}

/* (bytes): what came from the network. */
void xs_tls_feed(xsMachine *the)
{
	session *self = xsmcGetHostData(xsThis);
	const cb_buffer bytes = cb_readable(the, &xsArg(0));
	if (!put(&self->input, bytes.bytes, bytes.length)) xsUnknownError("no memory for TLS");
}

/* (buffer): what should go to the network; how many bytes. */
void xs_tls_take(xsMachine *the)
{
	session *self = xsmcGetHostData(xsThis);
	const cb_buffer buffer = cb_writable(the, &xsArg(0));
	xsmcSetInteger(xsResult, (int)take(&self->output, buffer.bytes, buffer.length));
}

/* (buffer): bytes of plain text, 0 for none yet, ENDED or FAILED. */
void xs_tls_read(xsMachine *the)
{
	session *self = xsmcGetHostData(xsThis);
	const cb_buffer buffer = cb_writable(the, &xsArg(0));
	int result;
	do {
		result = mbedtls_ssl_read(&self->ssl, buffer.bytes, buffer.length);
		/* A ticket is told of, and nothing has been read yet. */
	} while (result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
	xsmcSetInteger(xsResult, result > 0 ? result : result == 0 ? ENDED : outcome(self, result));
}

/* (bytes): takes all of them; whether it worked. */
void xs_tls_write(xsMachine *the)
{
	session *self = xsmcGetHostData(xsThis);
	const cb_buffer bytes = cb_readable(the, &xsArg(0));
	int good = 1;
	for (size_t at = 0; good && at < bytes.length;) {
		const int written = mbedtls_ssl_write(&self->ssl, bytes.bytes + at, bytes.length - at);
		if (written > 0) at += (size_t)written;
		else good = fail(self, written) != FAILED;
	}
	xsmcSetBoolean(xsResult, good);
}

/* Says goodbye: a close_notify is then to be taken. */
void xs_tls_end(xsMachine *the)
{
	session *self = xsmcGetHostData(xsThis);
	if (self != NULL) mbedtls_ssl_close_notify(&self->ssl);
}

/* Why it failed. */
void xs_tls_reason(xsMachine *the)
{
	session *self = xsmcGetHostData(xsThis);
	xsmcSetString(xsResult, self->reason);
}
