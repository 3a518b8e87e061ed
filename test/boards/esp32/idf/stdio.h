#pragma once
typedef struct file FILE;
extern FILE *const stdout;
int fputs(const char *text, FILE *to);
int fflush(FILE *to);
