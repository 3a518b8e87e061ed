/*
 * OpenSSL 3, loaded when TLS is first needed: linked, it costs every gateway 1.7 MB, and only those with a control plane
 * use it. To be included after OpenSSL's own headers, whose functions it then calls through a table.
 */

#ifndef CLOUDBRIDGE_OPENSSL_H
#define CLOUDBRIDGE_OPENSSL_H

#define CB_OPENSSL_FUNCTIONS(each) \
	each(BIO_ctrl) \
	each(BIO_free) \
	each(BIO_new) \
	each(BIO_new_mem_buf) \
	each(BIO_read) \
	each(BIO_s_mem) \
	each(BIO_write) \
	each(CRYPTO_free) \
	each(CRYPTO_get_ex_new_index) \
	each(ERR_clear_error) \
	each(ERR_peek_last_error) \
	each(ERR_reason_error_string) \
	each(EVP_Digest) \
	each(EVP_sha256) \
	each(PEM_read_bio_X509) \
	each(X509_STORE_CTX_get_current_cert) \
	each(X509_STORE_CTX_get_error_depth) \
	each(X509_STORE_CTX_get_ex_data) \
	each(X509_STORE_CTX_set_error) \
	each(X509_STORE_add_cert) \
	each(X509_VERIFY_PARAM_set1_ip_asc) \
	each(X509_free) \
	each(X509_get_X509_PUBKEY) \
	each(X509_verify_cert_error_string) \
	each(i2d_X509_PUBKEY) \
	each(SSL_CTX_ctrl) \
	each(SSL_CTX_free) \
	each(SSL_CTX_get_cert_store) \
	each(SSL_CTX_new) \
	each(SSL_CTX_set_default_verify_paths) \
	each(SSL_CTX_set_verify) \
	each(SSL_ctrl) \
	each(SSL_do_handshake) \
	each(SSL_free) \
	each(SSL_get0_param) \
	each(SSL_get_error) \
	each(SSL_get_ex_data) \
	each(SSL_get_ex_data_X509_STORE_CTX_idx) \
	each(SSL_get_verify_result) \
	each(SSL_in_init) \
	each(SSL_new) \
	each(SSL_read) \
	each(SSL_set1_host) \
	each(SSL_set_bio) \
	each(SSL_set_connect_state) \
	each(SSL_set_ex_data) \
	each(SSL_set_hostflags) \
	each(SSL_shutdown) \
	each(SSL_write) \
	each(TLS_client_method)

#define CB_OPENSSL_MEMBER(name) __typeof__(&name) name;
struct cb_openssl {
	CB_OPENSSL_FUNCTIONS(CB_OPENSSL_MEMBER)
};
extern struct cb_openssl cb_openssl;

/* Whether it is there; looks for it again as long as it is not. */
int cb_openssl_load(void);

#ifndef CB_OPENSSL_LOADER
#define BIO_ctrl (*cb_openssl.BIO_ctrl)
#define BIO_free (*cb_openssl.BIO_free)
#define BIO_new (*cb_openssl.BIO_new)
#define BIO_new_mem_buf (*cb_openssl.BIO_new_mem_buf)
#define BIO_read (*cb_openssl.BIO_read)
#define BIO_s_mem (*cb_openssl.BIO_s_mem)
#define BIO_write (*cb_openssl.BIO_write)
#define CRYPTO_free (*cb_openssl.CRYPTO_free)
#define CRYPTO_get_ex_new_index (*cb_openssl.CRYPTO_get_ex_new_index)
#define ERR_clear_error (*cb_openssl.ERR_clear_error)
#define ERR_peek_last_error (*cb_openssl.ERR_peek_last_error)
#define ERR_reason_error_string (*cb_openssl.ERR_reason_error_string)
#define EVP_Digest (*cb_openssl.EVP_Digest)
#define EVP_sha256 (*cb_openssl.EVP_sha256)
#define PEM_read_bio_X509 (*cb_openssl.PEM_read_bio_X509)
#define X509_STORE_CTX_get_current_cert (*cb_openssl.X509_STORE_CTX_get_current_cert)
#define X509_STORE_CTX_get_error_depth (*cb_openssl.X509_STORE_CTX_get_error_depth)
#define X509_STORE_CTX_get_ex_data (*cb_openssl.X509_STORE_CTX_get_ex_data)
#define X509_STORE_CTX_set_error (*cb_openssl.X509_STORE_CTX_set_error)
#define X509_STORE_add_cert (*cb_openssl.X509_STORE_add_cert)
#define X509_VERIFY_PARAM_set1_ip_asc (*cb_openssl.X509_VERIFY_PARAM_set1_ip_asc)
#define X509_free (*cb_openssl.X509_free)
#define X509_get_X509_PUBKEY (*cb_openssl.X509_get_X509_PUBKEY)
#define X509_verify_cert_error_string (*cb_openssl.X509_verify_cert_error_string)
#define i2d_X509_PUBKEY (*cb_openssl.i2d_X509_PUBKEY)
#define SSL_CTX_ctrl (*cb_openssl.SSL_CTX_ctrl)
#define SSL_CTX_free (*cb_openssl.SSL_CTX_free)
#define SSL_CTX_get_cert_store (*cb_openssl.SSL_CTX_get_cert_store)
#define SSL_CTX_new (*cb_openssl.SSL_CTX_new)
#define SSL_CTX_set_default_verify_paths (*cb_openssl.SSL_CTX_set_default_verify_paths)
#define SSL_CTX_set_verify (*cb_openssl.SSL_CTX_set_verify)
#define SSL_ctrl (*cb_openssl.SSL_ctrl)
#define SSL_do_handshake (*cb_openssl.SSL_do_handshake)
#define SSL_free (*cb_openssl.SSL_free)
#define SSL_get0_param (*cb_openssl.SSL_get0_param)
#define SSL_get_error (*cb_openssl.SSL_get_error)
#define SSL_get_ex_data (*cb_openssl.SSL_get_ex_data)
#define SSL_get_ex_data_X509_STORE_CTX_idx (*cb_openssl.SSL_get_ex_data_X509_STORE_CTX_idx)
#define SSL_get_verify_result (*cb_openssl.SSL_get_verify_result)
#define SSL_in_init (*cb_openssl.SSL_in_init)
#define SSL_new (*cb_openssl.SSL_new)
#define SSL_read (*cb_openssl.SSL_read)
#define SSL_set1_host (*cb_openssl.SSL_set1_host)
#define SSL_set_bio (*cb_openssl.SSL_set_bio)
#define SSL_set_connect_state (*cb_openssl.SSL_set_connect_state)
#define SSL_set_ex_data (*cb_openssl.SSL_set_ex_data)
#define SSL_set_hostflags (*cb_openssl.SSL_set_hostflags)
#define SSL_shutdown (*cb_openssl.SSL_shutdown)
#define SSL_write (*cb_openssl.SSL_write)
#define TLS_client_method (*cb_openssl.TLS_client_method)
#endif

#endif
