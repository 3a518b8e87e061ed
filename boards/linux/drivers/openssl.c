/* Finds OpenSSL when it is first needed. */

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#define CB_OPENSSL_LOADER
#include "openssl.h"

/* libssl brings libcrypto along, and its functions are found through it. */
#define LIBRARY "libssl.so.3"

struct cb_openssl cb_openssl;

/* A pointer to a function is none to data in C; both have one size wherever dlsym exists (POSIX). */
static int find(void *library, const char *name, void *into)
{
	void *const address = dlsym(library, name);
	memcpy(into, &address, sizeof address);
	return address != NULL;
}

int cb_openssl_load(void)
{
	static int loaded = 0;
	if (loaded) return 1;
	void *const library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (library == NULL) return 0;
	loaded = 1;
#define FIND(name) loaded = find(library, #name, &cb_openssl.name) && loaded;
	CB_OPENSSL_FUNCTIONS(FIND)
	if (!loaded) dlclose(library);
	return loaded;
}
