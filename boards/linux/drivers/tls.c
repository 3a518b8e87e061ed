/*
 * The methods of NativeTls (boards/xs/tls/native-tls.ts): TLS 1.3 by OpenSSL between two memory buffers. It opens no socket; what comes
 * from the network is fed in, what should go there is taken out.
 */

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "buffers.h"
#include "openssl.h"

#define PIN_BYTES 32
/* A key that the certificate of no authority vouches for is bad in another way than one that is merely not pinned. */
#define NOT_PINNED X509_V_ERR_APPLICATION_VERIFICATION

#define MORE 0
#define READY 1
#define ENDED (-1)
#define FAILED (-2)

typedef struct {
	SSL *ssl;
	/* Owned by `ssl`. */
	BIO *input, *output;
	uint8_t *pins;
	size_t pinCount;
	char reason[256];
} session;

static void free_session(session *self)
{
	SSL_free(self->ssl);
	free(self->pins);
	free(self);
}

void xs_tls_destructor(void *data)
{
	if (data != NULL) free_session(data);
}

/* Where OpenSSL keeps our session. */
static int session_index(void)
{
	static int index = -1;
	if (index < 0) index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

static int is_pinned(const session *self, X509 *certificate)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int size = 0;
	uint8_t *key = NULL;
	const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
	const int hashed = length > 0 && EVP_Digest(key, (size_t)length, digest, &size, EVP_sha256(), NULL) && size == PIN_BYTES;
	OPENSSL_free(key);
	for (size_t i = 0; hashed && i < self->pinCount; i++) {
		if (memcmp(digest, self->pins + i * PIN_BYTES, PIN_BYTES) == 0) return 1;
	}
	return 0;
}

/* Called for each certificate of the chain; the server's own is at depth 0. */
static int verify(int good, X509_STORE_CTX *context)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
	const session *self = SSL_get_ex_data(ssl, session_index());
	if (!good || X509_STORE_CTX_get_error_depth(context) > 0 || self->pinCount == 0) return good;
	if (is_pinned(self, X509_STORE_CTX_get_current_cert(context))) return 1;
	X509_STORE_CTX_set_error(context, NOT_PINNED);
	return 0;
}

/* Certificate authorities from PEM text; how many, 0 for none. */
static int trust(SSL_CTX *context, const char *pem)
{
	BIO *source = BIO_new_mem_buf(pem, -1);
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	int count = 0;
	for (X509 *one; source != NULL && (one = PEM_read_bio_X509(source, NULL, NULL, NULL)) != NULL; X509_free(one)) {
		if (X509_STORE_add_cert(store, one)) count++;
	}
	/* The end of the text is told as an error. */
	ERR_clear_error();
	BIO_free(source);
	return count;
}

static SSL_CTX *make_context(const char *authorities)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	if (context == NULL) return NULL;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, verify);
	const int trusted = authorities != NULL ? trust(context, authorities) : SSL_CTX_set_default_verify_paths(context);
	if (trusted && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION)) return context;
	SSL_CTX_free(context);
	return NULL;
}

/* The name that the certificate must have, and that the server is told of (RFC 6066 section 3: no addresses). */
static int name_server(SSL *ssl, const char *host)
{
	uint8_t address[sizeof(struct in6_addr)];
	X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(parameters, host);
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, host) && SSL_set_tlsext_host_name(ssl, host);
}

static int attach_buffers(session *self)
{
	self->input = BIO_new(BIO_s_mem());
	self->output = BIO_new(BIO_s_mem());
	if (self->input == NULL || self->output == NULL) {
		BIO_free(self->input);
		BIO_free(self->output);
		return 0;
	}
	/* Empty is "later", not "over". */
	BIO_set_mem_eof_return(self->input, -1);
	BIO_set_mem_eof_return(self->output, -1);
	SSL_set_bio(self->ssl, self->input, self->output);
	return 1;
}

/* (host, pins, authorities): pins are hashes of 32 bytes each; authorities PEM text or undefined. Whether it worked. */
void xs_tls_open(xsMachine *the)
{
	if (!cb_openssl_load()) xsUnknownError("TLS needs OpenSSL 3, which is not installed: apt-get install libssl3");
	char host[256];
	xsmcToStringBuffer(xsArg(0), host, sizeof host);
	session *self = calloc(1, sizeof *self);
	xsmcSetBoolean(xsResult, 0);
	if (self == NULL) return;
	const cb_buffer pins = cb_readable(the, &xsArg(1));
	self->pinCount = pins.length / PIN_BYTES;
	self->pins = malloc(pins.length + 1);
	if (self->pins != NULL) memcpy(self->pins, pins.bytes, pins.length);
	SSL_CTX *context = make_context(xsmcTypeOf(xsArg(2)) == xsUndefinedType ? NULL : xsmcToString(xsArg(2)));
	if (context != NULL) self->ssl = SSL_new(context);
	SSL_CTX_free(context);
	if (self->pins == NULL || self->ssl == NULL || !name_server(self->ssl, host) || !attach_buffers(self)) {
		ERR_clear_error();
		free_session(self);
		return;
	}
	SSL_set_ex_data(self->ssl, session_index(), self);
	SSL_set_connect_state(self->ssl);
	xsmcSetHostData(xsThis, self);
	xsmcSetBoolean(xsResult, 1);
}

static int outcome(session *self, int result)
{
	switch (SSL_get_error(self->ssl, result)) {
	case SSL_ERROR_NONE:
		return READY;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return MORE;
	case SSL_ERROR_ZERO_RETURN:
		return ENDED;
	}
	const long verified = SSL_get_verify_result(self->ssl);
	const unsigned long error = ERR_peek_last_error();
	const char *text = error == 0 ? "the connection broke" : ERR_reason_error_string(error);
	if (verified == NOT_PINNED) snprintf(self->reason, sizeof self->reason, "the server’s key is none of the pinned ones");
	else if (verified != X509_V_OK) snprintf(self->reason, sizeof self->reason, "the server’s certificate is bad: %s", X509_verify_cert_error_string(verified));
	else snprintf(self->reason, sizeof self->reason, "TLS: %s", text == NULL ? "unknown error" : text);
	return FAILED;
}

/* Goes on with the handshake: READY when it is over, MORE, or FAILED. */
void xs_tls_handshake(xsMachine *the)
{
	session *self = xsmcGetHostData(xsThis);
	ERR_clear_error();
	xsmcSetInteger(xsResult, outcome(self, SSL_do_handshake(self->ssl)));
}

/* (bytes): what came from the network. */
void xs_tls_feed(xsMachine *the)
{
	const session *self = xsmcGetHostData(xsThis);
	const cb_buffer bytes = cb_readable(the, &xsArg(0));
	if (BIO_write(self->input, bytes.bytes, (int)bytes.length) != (int)bytes.length) xsUnknownError("no memory for TLS");
}

/* (buffer): what should go to the network; how many bytes. */
void xs_tls_take(xsMachine *the)
{
	const session *self = xsmcGetHostData(xsThis);
	const cb_buffer buffer = cb_writable(the, &xsArg(0));
	const int count = buffer.length == 0 ? 0 : BIO_read(self->output, buffer.bytes, (int)buffer.length);
	xsmcSetInteger(xsResult, count > 0 ? count : 0);
}

/* (buffer): bytes of plain text, 0 for none yet, ENDED or FAILED. */
void xs_tls_read(xsMachine *the)
{
	session *self = xsmcGetHostData(xsThis);
	const cb_buffer buffer = cb_writable(the, &xsArg(0));
	ERR_clear_error();
	const int count = SSL_read(self->ssl, buffer.bytes, (int)buffer.length);
	xsmcSetInteger(xsResult, count > 0 ? count : outcome(self, count));
}

/* (bytes): takes all of them; whether it worked. */
void xs_tls_write(xsMachine *the)
{
	session *self = xsmcGetHostData(xsThis);
	const cb_buffer bytes = cb_readable(the, &xsArg(0));
	ERR_clear_error();
	const int written = bytes.length == 0 ? 0 : SSL_write(self->ssl, bytes.bytes, (int)bytes.length);
	const int good = written == (int)bytes.length;
	if (!good) outcome(self, written);
	xsmcSetBoolean(xsResult, good);
}

/* Says goodbye: a close_notify is then to be taken. */
void xs_tls_end(xsMachine *the)
{
	const session *self = xsmcGetHostData(xsThis);
	if (self == NULL || SSL_in_init(self->ssl)) return;
	ERR_clear_error();
	SSL_shutdown(self->ssl);
}

/* Why it failed. */
void xs_tls_reason(xsMachine *the)
{
	session *self = xsmcGetHostData(xsThis);
	xsmcSetString(xsResult, self->reason);
}
