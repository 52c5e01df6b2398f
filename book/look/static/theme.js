document.body.dataset.theme = localStorage.getItem('theme') || 'auto';  // before anything is drawn
