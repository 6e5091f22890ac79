/*
 * value.c
 *	  Values of any type as JSON, and back.
 *
 * As to_jsonb() writes and jsonb_to_record() reads them; the types that one
 * meets most go without a query.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "core/decide.h"
#include "exec/function.h"
#include "proto/json_codec.h"
#include "proto/lexical.h"
#include "proto/payload.h"
#include "proto/time.h"

/* Longer texts may not fit a jsonb, and who finds out is to be who made them. */
#define SHORT_TEXT 8000

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

bool
value_is_plain(Oid type)
{
	return is_integer(type) || type == BOOLOID || type == TEXTOID || type == JSONBOID;
}

static int64
integer(Value value)
{
	switch (value.type)
	{
		case INT2OID:
			return DatumGetInt16(value.datum);
		case INT4OID:
			return DatumGetInt32(value.datum);
		default:
			return DatumGetInt64(value.datum);
	}
}

static Jsonb *
datum_to_jsonb(Datum datum, Oid type)
{
	FmgrInfo	flinfo;

	/* The function finds out the type from the call's expression. */
	fmgr_info(F_TO_JSONB, &flinfo);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID,
											 list_make1(makeNullConst(type, -1, InvalidOid)),
											 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
					   &flinfo);
	return DatumGetJsonbP(FunctionCall1(&flinfo, datum));
}

Value
value_of_jsonb(Jsonb *json)
{
	return json == NULL ? (Value) {InvalidOid} : (Value) {JSONBOID, JsonbPGetDatum(json)};
}

Value
value_of_datum(Datum datum, bool isnull, Oid type)
{
	if (isnull)
		return (Value) {InvalidOid};
	if (!value_is_plain(type) || (type == TEXTOID && toast_raw_datum_size(datum) > SHORT_TEXT))
		return value_of_jsonb(datum_to_jsonb(datum, type));
	if (type == TEXTOID || type == JSONBOID)
		datum = PointerGetDatum(PG_DETOAST_DATUM_COPY(datum));
	else if (type == INT8OID)
		datum = Int64GetDatum(DatumGetInt64(datum));
	return (Value) {type, datum};
}

Jsonb *
value_to_jsonb(Value value)
{
	JsonbValue	json = {.type = jbvNumeric};

	if (value.type == InvalidOid)
		return NULL;
	if (value.type == JSONBOID)
		return DatumGetJsonbP(value.datum);
	if (is_integer(value.type))
		json.val.numeric = int64_to_numeric(integer(value));
	else if (value.type == BOOLOID)
	{
		json.type = jbvBool;
		json.val.boolean = DatumGetBool(value.datum);
	}
	else
	{
		json.type = jbvString;
		json.val.string.val = TextDatumGetCString(value.datum);
		json.val.string.len = strlen(json.val.string.val);
	}
	return JsonbValueToJsonb(&json);
}

static Pb__Payload *
value_payload(Value value)
{
	char		digits[MAXINT8LEN + 1];

	if (value.type == JSONBOID)
		return payload_from_jsonb(DatumGetJsonbP(value.datum));
	json_require_utf8();
	if (value.type == BOOLOID)
		return core_json_payload(DatumGetBool(value.datum) ? "true" : "false");
	if (value.type == TEXTOID)
		return core_text_payload(TextDatumGetCString(value.datum));
	pg_lltoa(integer(value), digits);
	return core_json_payload(pstrdup(digits));
}

Pb__Payloads *
value_payloads(Value value)
{
	return value.type == InvalidOid ? NULL : core_payloads(value_payload(value));
}

/* The text that a type's input function reads. */
static char *
jsonb_text(Jsonb *json)
{
	JsonbValue	scalar;

	if (JB_ROOT_IS_SCALAR(json) && JsonbExtractScalar(&json->root, &scalar) &&
		scalar.type == jbvString)
		return pnstrdup(scalar.val.string.val, scalar.val.string.len);
	return JsonbToCString(NULL, &json->root, VARSIZE(json));
}

static bool
jsonb_is_null(Jsonb *json)
{
	JsonbValue	scalar;

	return json == NULL || (JB_ROOT_IS_SCALAR(json) &&
							JsonbExtractScalar(&json->root, &scalar) && scalar.type == jbvNull);
}

/* Arrays, rows, and domains over them. */
static Datum
query_value(Jsonb *json, Oid type, bool *isnull)
{
	MemoryContext caller = CurrentMemoryContext;
	JsonbParseState *state = NULL;
	JsonbValue	value = {.type = jbvString};
	Oid			types[] = {JSONBOID};
	Datum		arguments[1];
	Datum		result;
	int16		length;
	bool		by_value;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	value.val.string.val = "v";
	value.val.string.len = 1;
	pushJsonbValue(&state, WJB_KEY, &value);
	value.type = jbvBinary;
	value.val.binary.data = &json->root;
	value.val.binary.len = VARSIZE(json) - VARHDRSZ;
	if (JB_ROOT_IS_SCALAR(json))
		JsonbExtractScalar(&json->root, &value);
	pushJsonbValue(&state, WJB_VALUE, &value);
	arguments[0] = JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
	SPI_connect();
	if (SPI_execute_with_args(psprintf("SELECT v FROM pg_catalog.jsonb_to_record($1) AS x(v %s)",
									   format_type_be_qualified(type)),
							  1, types, arguments, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not convert a value");
	result = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, isnull);
	MemoryContextSwitchTo(caller);
	get_typlenbyval(type, &length, &by_value);
	if (!*isnull)
		result = datumCopy(result, by_value, length);
	SPI_finish();
	MemoryContextSwitchTo(caller);
	return result;
}

/* JSON null is SQL NULL. */
static Datum
value_from_jsonb(Jsonb *json, Oid type, bool *isnull)
{
	Oid			base = getBaseType(type);
	Oid			input;
	Oid			element;

	*isnull = jsonb_is_null(json);
	if (*isnull)
		return (Datum) 0;
	if (type == JSONBOID)
		return JsonbPGetDatum(json);
	if (type == JSONOID)
		return CStringGetTextDatum(JsonbToCString(NULL, &json->root, VARSIZE(json)));
	if (base != type || type_is_array(type) || type_is_rowtype(type))
		return query_value(json, type, isnull);
	getTypeInputInfo(type, &input, &element);
	return OidInputFunctionCall(input, jsonb_text(json), element, -1);
}

Datum
value_from_payload(const Pb__Payload *payload, Oid type, bool *isnull)
{
	int64		number;

	*isnull = false;
	if (is_integer(type) && payload_is_integer(payload, &number))
	{
		if (type == INT8OID)
			return Int64GetDatum(number);
		if (type == INT4OID && number == (int32) number)
			return Int32GetDatum((int32) number);
		if (type == INT2OID && number == (int16) number)
			return Int16GetDatum((int16) number);
	}
	return value_from_jsonb(payload_to_jsonb(payload), type, isnull);
}

/* An untyped literal is JSON. */
static Datum
read_literal(const char *literal)
{
	if (!json_text_fits_jsonb(literal, strlen(literal)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input: \"%s\" is not JSON", literal),
				 errhint("A literal without a type is read as JSON: write '%s'::text.", literal)));
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(literal));
}

static Pb__Payloads *
several_payloads(ArrayType *array)
{
	Pb__Payloads *payloads = proto_new(&pb__payloads__descriptor);
	JsonbValue	null = {.type = jbvNull};
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, JSONBOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	payloads->payloads = palloc((n + 1) * sizeof(Pb__Payload *));
	for (int i = 0; i < n; i++)
		payloads->payloads[payloads->n_payloads++] =
			payload_from_jsonb(nulls[i] ? JsonbValueToJsonb(&null) : DatumGetJsonbP(elements[i]));
	return payloads;
}

Pb__Payloads *
value_argument(FunctionCallInfo fcinfo, int argument)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, argument);
	Datum		datum;

	if (PG_ARGISNULL(argument))
		return NULL;
	datum = PG_GETARG_DATUM(argument);
	if (type == JSONBARRAYOID)
		return several_payloads(DatumGetArrayTypeP(datum));
	if (type == UNKNOWNOID)
	{
		datum = read_literal(DatumGetCString(datum));
		type = JSONBOID;
	}
	return value_payloads(value_of_datum(datum, false, type));
}

Datum
value_result(FunctionCallInfo fcinfo, Value value)
{
	Oid			type = get_fn_expr_rettype(fcinfo->flinfo);

	if (value.type == type && type != JSONBOID)
		return value.datum;
	return value_from_jsonb(value_to_jsonb(value), type, &fcinfo->isnull);
}
