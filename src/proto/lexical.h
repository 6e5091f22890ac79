/*
 * lexical.h
 *	  Text forms of single values in proto-JSON: base64, durations, timestamps,
 *	  and whether a text is JSON that jsonb can hold.
 */
#ifndef TEMPORAL_PROTO_LEXICAL_H
#define TEMPORAL_PROTO_LEXICAL_H

extern char *base64_encode(const uint8 *data, size_t len);
extern bool base64_decode(const char *text, size_t len, uint8 **data, size_t *data_len);

extern char *duration_format(int64 seconds, int32 nanos);
extern bool duration_parse(const char *text, int64 *seconds, int32 *nanos);

extern char *timestamp_format(int64 seconds, int32 nanos);
extern bool timestamp_parse(const char *text, int64 *seconds, int32 *nanos);

extern bool json_text_fits_jsonb(const char *text, size_t len);

#endif /* TEMPORAL_PROTO_LEXICAL_H */
