"""Tables of numbers with names: text, HTML, LaTeX, a data frame, or a dictionary from one noun.

A `Table` holds a title, a header of label and value pairs, named columns, one `Row` per label, and notes.
It knows nothing of likelihoods: whoever has numbers and names builds one, and it is printed the same way
everywhere.

>>> from jaxmle.tables import Row, Table
>>> rows = (Row("GPA", (2.826113, 1.262941)), Row("PSI", (2.378688, 1.064564)), Row("scale", (1.0, "fixed")))
>>> table = Table("Logit", (), ("coef", "std err"), rows, formats=("coefficient", "statistic"))
>>> print(table)
                                    Logit
==============================================================================
                                                               coef    std err
------------------------------------------------------------------------------
GPA                                                          2.8261      1.263
PSI                                                          2.3787      1.065
scale                                                        1.0000      fixed
==============================================================================

Nothing here is traced: every value is a Python float, a text, or None by the time it is in a row. Printed
numbers are rounded for the reader; `Table.to_frame` and `Table.to_dict` keep every digit.
"""

from jaxmle.tables.table import Row, Table

__all__ = ["Row", "Table"]
