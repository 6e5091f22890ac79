/*
 * fuzz_server.h
 *	  The fuzzers that need a server.
 */
#ifndef TEMPORAL_FUZZ_SERVER_H
#define TEMPORAL_FUZZ_SERVER_H

typedef struct ServerFuzzer
{
	const char *name;
	void (*prepare)(void);
	int (*try_input)(const uint8 *data, size_t len);
} ServerFuzzer;

extern const ServerFuzzer fuzz_connection;
extern const ServerFuzzer fuzz_service;

extern void fuzz_require(bool condition, const char *what);

/* Makes inputs to begin with of scripts that people can read. */
extern void fuzz_convert_scripts(void (*convert)(FILE *from, FILE *to));

/* What a fuzzer reads its input with; beyond the end are zeros. */
typedef struct Input
{
	const uint8 *next;
	const uint8 *end;
} Input;

extern uint8 input_byte(Input *input);
extern size_t input_bytes(Input *input, size_t len, const uint8 **data);

#endif /* TEMPORAL_FUZZ_SERVER_H */
