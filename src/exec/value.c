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
#include "proto/lexical.h"
#include "proto/payload.h"
#include "proto/time.h"

/* Longer ones need not be quick. */
#define SHORT_TEXT 8000

/* Of the types that one meets most, without looking anything up; NULL: not so. */
static Jsonb *
plain_to_jsonb(Datum value, Oid type)
{
	JsonbValue	json = {.type = jbvNumeric};

	switch (type)
	{
		case INT2OID:
			json.val.numeric = int64_to_numeric(DatumGetInt16(value));
			break;
		case INT4OID:
			json.val.numeric = int64_to_numeric(DatumGetInt32(value));
			break;
		case INT8OID:
			json.val.numeric = int64_to_numeric(DatumGetInt64(value));
			break;
		case BOOLOID:
			json.type = jbvBool;
			json.val.boolean = DatumGetBool(value);
			break;
		case TEXTOID:
			if (toast_raw_datum_size(value) > SHORT_TEXT)
				return NULL;
			json.type = jbvString;
			json.val.string.val = TextDatumGetCString(value);
			json.val.string.len = strlen(json.val.string.val);
			break;
		default:
			return NULL;
	}
	return JsonbValueToJsonb(&json);
}

bool
value_is_plain(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID || type == BOOLOID ||
		type == TEXTOID || type == JSONBOID;
}

Jsonb *
value_to_jsonb(Datum value, bool isnull, Oid type)
{
	FmgrInfo	flinfo;
	Jsonb	   *plain;

	if (isnull)
		return NULL;
	if (type == JSONBOID)
		return DatumGetJsonbP(value);
	plain = plain_to_jsonb(value, type);
	if (plain != NULL)
		return plain;
	/* The function finds out the type from the call's expression. */
	fmgr_info(F_TO_JSONB, &flinfo);
	fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID,
											 list_make1(makeNullConst(type, -1, InvalidOid)),
											 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
					   &flinfo);
	return DatumGetJsonbP(FunctionCall1(&flinfo, value));
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

Datum
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
value_payloads(FunctionCallInfo fcinfo, int argument)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, argument);
	Datum		value;

	if (PG_ARGISNULL(argument))
		return NULL;
	value = PG_GETARG_DATUM(argument);
	if (type == JSONBARRAYOID)
		return several_payloads(DatumGetArrayTypeP(value));
	if (type == UNKNOWNOID)
	{
		value = read_literal(DatumGetCString(value));
		type = JSONBOID;
	}
	return core_payloads(payload_from_jsonb(value_to_jsonb(value, false, type)));
}

Datum
value_result(FunctionCallInfo fcinfo, Jsonb *json)
{
	Datum		value = value_from_jsonb(json, get_fn_expr_rettype(fcinfo->flinfo), &fcinfo->isnull);

	return value;
}
