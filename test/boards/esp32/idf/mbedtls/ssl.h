#pragma once
#include <stddef.h>
#include <stdint.h>
#include "mbedtls/x509_crt.h"
#define MBEDTLS_ERR_SSL_WANT_READ -0x6900
#define MBEDTLS_ERR_SSL_WANT_WRITE -0x6880
#define MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY -0x7880
#define MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET -0x7B00
#define MBEDTLS_ERR_SSL_ALLOC_FAILED -0x7F00
#define MBEDTLS_SSL_IS_CLIENT 0
#define MBEDTLS_SSL_TRANSPORT_STREAM 0
#define MBEDTLS_SSL_PRESET_DEFAULT 0
#define MBEDTLS_SSL_VERIFY_REQUIRED 2
typedef enum { MBEDTLS_SSL_VERSION_TLS1_2 = 0x0303, MBEDTLS_SSL_VERSION_TLS1_3 = 0x0304 } mbedtls_ssl_protocol_version;
typedef struct mbedtls_ssl_config {
	int endpoint;
} mbedtls_ssl_config;
typedef struct mbedtls_ssl_context {
	int state;
} mbedtls_ssl_context;
typedef struct mbedtls_x509_crl mbedtls_x509_crl;
typedef int mbedtls_ssl_send_t(void *context, const unsigned char *bytes, size_t length);
typedef int mbedtls_ssl_recv_t(void *context, unsigned char *bytes, size_t length);
typedef int mbedtls_ssl_recv_timeout_t(void *context, unsigned char *bytes, size_t length, uint32_t timeout);
void mbedtls_ssl_init(mbedtls_ssl_context *ssl);
void mbedtls_ssl_free(mbedtls_ssl_context *ssl);
void mbedtls_ssl_config_init(mbedtls_ssl_config *config);
void mbedtls_ssl_config_free(mbedtls_ssl_config *config);
int mbedtls_ssl_config_defaults(mbedtls_ssl_config *config, int endpoint, int transport, int preset);
void mbedtls_ssl_conf_min_tls_version(mbedtls_ssl_config *config, mbedtls_ssl_protocol_version version);
void mbedtls_ssl_conf_authmode(mbedtls_ssl_config *config, int mode);
void mbedtls_ssl_conf_ca_chain(mbedtls_ssl_config *config, mbedtls_x509_crt *chain, mbedtls_x509_crl *revoked);
int mbedtls_ssl_setup(mbedtls_ssl_context *ssl, const mbedtls_ssl_config *config);
int mbedtls_ssl_set_hostname(mbedtls_ssl_context *ssl, const char *name);
void mbedtls_ssl_set_bio(mbedtls_ssl_context *ssl, void *context, mbedtls_ssl_send_t *send, mbedtls_ssl_recv_t *receive, mbedtls_ssl_recv_timeout_t *receive_timeout);
int mbedtls_ssl_handshake(mbedtls_ssl_context *ssl);
int mbedtls_ssl_read(mbedtls_ssl_context *ssl, unsigned char *bytes, size_t length);
int mbedtls_ssl_write(mbedtls_ssl_context *ssl, const unsigned char *bytes, size_t length);
int mbedtls_ssl_close_notify(mbedtls_ssl_context *ssl);
uint32_t mbedtls_ssl_get_verify_result(const mbedtls_ssl_context *ssl);
const mbedtls_x509_crt *mbedtls_ssl_get_peer_cert(const mbedtls_ssl_context *ssl);
