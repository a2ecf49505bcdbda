/*
 * sql_text.h - SQL for amounts and moments as the API writes them: "25.00", "2026-11-23T01:02:03.456Z". Null stays null.
 */
#ifndef LEADLINE_LEADCTL_SQL_TEXT_H
#define LEADLINE_LEADCTL_SQL_TEXT_H

#define MONEY(cents) "(" cents " / 100.0)::numeric(20, 2)::text"
#define TIME(at) "to_char(" at " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

#endif
