#pragma once
typedef struct file FILE;
extern FILE *const stdout;
int fputs(const char *text, FILE *to);
int fflush(FILE *to);
#define EOF (-1)
extern FILE *const stdin;
int fgetc(FILE *from);
void clearerr(FILE *of);
