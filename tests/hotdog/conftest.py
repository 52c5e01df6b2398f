"""The test of the shipped network comes after the chapter's notebooks, where both run, to compare with what they made.
"""


def pytest_collection_modifyitems(items):
    """Move the test to the end."""
    items.sort(key=lambda item: item.name == 'test_the_shipped_network_is_what_the_page_trains')
