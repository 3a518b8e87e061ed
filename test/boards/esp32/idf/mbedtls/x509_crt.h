#pragma once
#include <stddef.h>
#include <stdint.h>
#define MBEDTLS_ERR_X509_CERT_VERIFY_FAILED -0x2700
typedef struct mbedtls_asn1_buf {
	int tag;
	size_t len;
	unsigned char *p;
} mbedtls_asn1_buf;
typedef mbedtls_asn1_buf mbedtls_x509_buf;
typedef struct mbedtls_x509_crt {
	int own_buffer;
	mbedtls_x509_buf raw;
	mbedtls_x509_buf pk_raw;
} mbedtls_x509_crt;
void mbedtls_x509_crt_init(mbedtls_x509_crt *certificate);
void mbedtls_x509_crt_free(mbedtls_x509_crt *certificate);
int mbedtls_x509_crt_parse(mbedtls_x509_crt *chain, const unsigned char *text, size_t length);
int mbedtls_x509_crt_verify_info(char *text, size_t size, const char *prefix, uint32_t flags);
