'use strict';

// Sphinx makes its rule for plurals from text, which the policy forbids; Chinese has no plural
Documentation.addTranslations = (catalog) => {
  Documentation.LOCALE = catalog.locale;
  // it looks for "found 3 page(s)" where the catalogue says "found ${resultCount} page(s)"
  Documentation.TRANSLATIONS = new Proxy(catalog.messages, {
    get: (messages, text) => messages[text] ??
      messages[text.replace(/\d+/, '${resultCount}')]?.replace('${resultCount}', text.match(/\d+/)),
  });
};

// what is scrolled sideways can be scrolled with the keyboard
document.querySelectorAll('pre, .table-wrapper').forEach((element) => { element.tabIndex = 0; });
