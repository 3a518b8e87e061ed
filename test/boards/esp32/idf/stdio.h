#pragma once
#include <stddef.h>
typedef struct file FILE;
extern FILE *const stdout;
int fputs(const char *text, FILE *to);
int fflush(FILE *to);
#define EOF (-1)
extern FILE *const stdin;
int fgetc(FILE *from);
void clearerr(FILE *of);
int snprintf(char *to, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
