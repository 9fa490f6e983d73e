/* How every report begins, by which an existing file is known as one. */
#ifndef MST_HTML_MARK_H
#define MST_HTML_MARK_H

#define MST_HTML_MARK "<!DOCTYPE html>\n<html lang=\"en\" class=\"mst-report"

#endif
